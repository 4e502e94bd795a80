// Checks that working ahead survives what can go wrong: no room, failed decodes, releases and ends at any moment. Texts
// are those of each branch alone, everyone is answered, nothing is held afterwards (the Driver sees to the last two).
#include <random>

#include "driver.h"
#include "naive.h"

namespace {

using namespace thinktree;

struct Written {
    BranchId id;
    NaiveBranch alone;
    uint32_t forks = 0;
};

// Some rounds of a search whose branches are forked, released and extended at random, the next round's sometimes while
// this one's still write. Returns what was kept.
int64_t check_random_search(const Driver::Setup & setup, uint64_t seed) {
    std::mt19937_64 random(seed);
    Driver driver(setup);
    NaiveModel naive;
    const auto opened = driver.open("fault", seed);
    Written root{opened.root, NaiveBranch::root(naive, "fault", seed)};
    const auto fork = [&](Written & parent, uint32_t count, std::vector<Written> & into) {
        for (const BranchId child : driver.fork(parent.id, count)) {
            into.push_back({child, parent.alone.fork(parent.forks++)});
        }
    };
    std::vector<Written> growing;
    fork(root, 4 + static_cast<uint32_t>(random() % 20), growing);
    const uint32_t width = 1 + static_cast<uint32_t>(random() % 4);
    for (int round = 0; round < 4 && !growing.empty(); ++round) {
        std::vector<BranchId> ids;
        for (const Written & branch : growing) ids.push_back(branch.id);
        const auto requests = driver.extend_together(ids, 1, setup.with_verifier, {}, width);
        std::vector<Written> next;
        for (size_t i = 0; i < growing.size(); ++i) {
            Written & branch = growing[i];
            if (random() % 8 == 0) {
                driver.release(branch.id);
                driver.wait(requests[i]);
                continue;
            }
            const Completion completion = driver.wait(requests[i]);
            const size_t before = branch.alone.text().size();
            branch.alone.extend(naive, 1, {});
            const bool whole = completion.reason == FinishReason::step || completion.reason == FinishReason::end;
            if (completion.error == ErrorCode::none && whole) {
                CHECK_EQ(text_of(completion), branch.alone.text().substr(before));
                if (completion.reason == FinishReason::step && random() % 2)
                    fork(branch, 1 + static_cast<uint32_t>(random() % width), next);
            }
            driver.release(branch.id);
        }
        growing = std::move(next);
    }
    return driver.close_and_wait(opened.search).speculated_kept;
}

TEST(working_ahead_without_room_or_with_faults_writes_the_same) {
    int64_t kept = 0;
    for (int seed = 0; seed < harness::rounds(400); ++seed) {
        std::mt19937_64 random(static_cast<uint64_t>(seed));
        Driver::Setup setup;
        setup.with_verifier = seed % 3 == 0;
        FakeOptions & generator = setup.generator;
        if (seed % 2 == 0) {
            generator.cells = generator.positions = 60 + static_cast<int32_t>(random() % 60);
            generator.sequences = 1 + static_cast<int32_t>(random() % 12);
            generator.tree_rows = 4 + static_cast<int32_t>(random() % 20);
            generator.batch = generator.tree_rows + static_cast<int32_t>(random() % 20);
        }
        if (seed % 4 == 1) generator.fail_every = 5 + seed % 7;
        if (seed % 4 == 2) generator.no_slot_every = 5 + seed % 7;
        if (seed % 8 == 3) generator.throw_every = 5 + seed % 7;
        if (seed % 8 == 7) generator.poison_token = '7';
        setup.verifier = generator;
        kept += check_random_search(setup, static_cast<uint64_t>(seed));
    }
    CHECK(kept > 0);
}

// Nobody's text but the guilty one's fails: what is poisoned ahead costs no other branch more than its company.
TEST(a_fault_ahead_fails_nobody) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        Driver::Setup setup;
        setup.generator.poison_token = '7';
        Driver driver(setup);
        NaiveModel naive;
        const auto opened = driver.open("poison", seed);
        const NaiveBranch root = NaiveBranch::root(naive, "poison", seed);
        const auto requests = driver.extend_together(driver.fork(opened.root, 24), 1, false, {}, 4);
        for (uint32_t i = 0; i < 24; ++i) {
            NaiveBranch alone = root.fork(i);
            alone.extend(naive, 1, {});
            const bool guilty = alone.text().find('7') != std::string::npos;
            const Completion completion = driver.wait(requests[i]);
            CHECK(completion.error == (guilty ? ErrorCode::decode_failed : ErrorCode::none));
            if (!guilty) CHECK_EQ(text_of(completion), alone.text());
        }
    }
}

TEST(a_search_may_end_while_it_works_ahead) {
    for (int seed = 0; seed < harness::rounds(80); ++seed) {
        std::mt19937_64 random(static_cast<uint64_t>(seed));
        Driver::Setup setup;
        setup.generator.decode_time = std::chrono::microseconds(100);
        setup.with_verifier = seed % 2 == 0;
        setup.stops_checking = seed % 5 == 4;  // the engine goes first
        Driver driver(setup);
        const auto opened = driver.open("ends", static_cast<uint64_t>(seed), [&](OpenSearch & c) {
            if (seed % 5 == 0) c.deadline_ms = static_cast<double>(random() % 4);
        });
        const auto branches = driver.fork(opened.root, 24);
        const auto requests = driver.extend_together(branches, 1, setup.with_verifier, {}, 4);
        for (size_t i = random() % requests.size(); i > 0; --i) driver.wait(requests[i - 1]);
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 1500));
        if (seed % 5 == 1) driver.stop(opened.search);
        if (seed % 5 == 2) driver.close(opened.search);
        if (seed % 5 == 3) {
            for (const BranchId branch : branches) driver.release(branch);
        }
        const auto children = driver.fork(branches[0], 4);
        if (seed % 2) driver.release(branches[0]);
        const auto more = driver.extend_together(children);
        if (setup.stops_checking) continue;
        for (const RequestId request : requests) driver.wait(request);
        for (const RequestId request : more) driver.wait(request);
    }
}

}  // namespace
