// Checks that a cache too small for all that is open only costs time: branches park and are computed again, the texts
// and scores are those of a run with room, and everyone finishes.
#include <random>

#include "driver.h"
#include "naive.h"

namespace {

using namespace thinktree;

struct Room {
    int32_t cells, sequences, batch, tree_rows;
};

const std::vector<Room> rooms = {
    {70, 64, 256, 64}, {4096, 3, 256, 64}, {4096, 1, 64, 8}, {70, 2, 16, 8}, {64, 5, 7, 3}, {60, 1, 256, 1},
};

FakeOptions in(const Room & room) {
    FakeOptions options;
    options.cells = room.cells;
    options.positions = std::min(options.positions, room.cells);
    options.sequences = room.sequences;
    options.batch = room.batch;
    options.tree_rows = room.tree_rows;
    return options;
}

// 40 branches in two turns each, over `searches` questions, all at once.
void check_all_finish(Driver & driver, uint32_t searches, int64_t & recomputed) {
    NaiveModel naive;
    NaiveModel verifier;
    struct Written {
        BranchId id;
        NaiveBranch alone;
        RequestId extend;
        std::string text;
    };
    std::vector<Written> all;
    std::vector<SearchId> opened;
    for (uint32_t s = 0; s < searches; ++s) {
        std::string prompt = "question 0?";
        prompt[9] = static_cast<char>('0' + s);
        const auto search = driver.open(prompt, s);
        opened.push_back(search.search);
        const auto branches = driver.fork(search.root, 40 / searches);
        const NaiveBranch root = NaiveBranch::root(naive, prompt, s);
        for (uint32_t i = 0; i < branches.size(); ++i) all.push_back({branches[i], root.fork(i), 0, ""});
    }
    for (const uint32_t steps : {1u, 99u}) {
        for (Written & w : all) w.extend = driver.extend(w.id, steps, true);
        for (Written & w : all) {
            const Completion completion = driver.wait(w.extend);
            CHECK(completion.error == ErrorCode::none);
            w.text += text_of(completion);
            w.alone.extend(naive, steps, {});
            CHECK(completion.reason == FinishReason::length || w.text == w.alone.text());
        }
    }
    for (Written & w : all) w.extend = driver.score(w.id);
    for (Written & w : all) {
        const Completion completion = driver.wait(w.extend);
        if (completion.error == ErrorCode::context_exceeded) continue;
        const std::string prompt(w.alone.path.begin(), w.alone.path.begin() + 11);
        const std::vector<double> expected = w.alone.likelihoods(verifier, prompt + "?", true);
        CHECK(completion.error == ErrorCode::none);
        for (size_t i = 0; i + 1 < completion.scores.size(); ++i) CHECK(same(completion.scores[i], expected[i]));
    }
    for (const SearchId search : opened) recomputed += driver.ledger(search).recomputed_tokens;
}

TEST(branches_that_do_not_fit_park_and_finish_all_the_same) {
    for (const Room & room : rooms) {
        for (const uint32_t searches : {1u, 5u}) {
            Driver::Setup setup;
            setup.generator = setup.verifier = in(room);
            setup.with_verifier = true;
            Driver driver(setup);
            int64_t recomputed = 0;
            check_all_finish(driver, searches, recomputed);
            CHECK(recomputed > 0);
            CHECK(driver.probe->cells_peak.load() <= room.cells);
        }
    }
}

TEST(with_room_the_same_work_recomputes_nothing) {
    Driver::Setup setup;
    setup.with_verifier = true;
    Driver driver(setup);
    int64_t recomputed = 0;
    check_all_finish(driver, 5, recomputed);
    CHECK_EQ(recomputed, 0);
}

// Searches take the one or two leases from each other, several branches each: in turns alone none would come to its
// end.
TEST(branches_that_take_room_from_each_other_come_to_an_end) {
    for (uint64_t seed = 0; seed < 100; ++seed) {
        std::mt19937_64 random(seed);
        Driver::Setup setup;
        setup.generator = setup.verifier =
            in({90, 1 + static_cast<int32_t>(seed % 2), 8 + static_cast<int32_t>(random() % 20), 8});
        setup.with_verifier = seed % 3 == 0;
        Driver driver(setup);
        std::vector<RequestId> requests;
        std::vector<BranchId> branches;
        for (uint64_t s = 0; s < 3; ++s) {
            branches.push_back(driver.open(std::string(2 + random() % 24, static_cast<char>('a' + s)), seed).root);
        }
        SamplerOptions sampler;
        sampler.temperature = seed % 4 < 2 ? 0.2f : 1.0f;
        for (int i = 0; i < 12; ++i) {
            const BranchId at = branches[random() % branches.size()];
            branches.push_back(random() % 2 ? driver.fork(at, 1)[0]
                                            : driver.condition(at, std::string(random() % 12, ';')));
            if (random() % 3 == 0)
                requests.push_back(driver.extend(at, 1 + random() % 4, setup.with_verifier, sampler));
        }
        for (const BranchId branch : branches) requests.push_back(driver.extend(branch, 9, false, sampler));
        for (const RequestId request : requests) driver.wait(request, 20);
    }
}

// A search whose deadline has passed, and one whose branch was released, lie idle on their cells: others need them.
TEST(nothing_that_has_ended_holds_cells_against_the_living) {
    for (int how = 0; how < 4; ++how) {
        Driver::Setup setup;
        setup.generator = in({100, 8, 16, 16});
        setup.generator.decode_time = std::chrono::microseconds(200);
        Driver driver(setup);
        const auto dead = driver.open(std::string(80, '4'), 1, [&](OpenSearch & c) {
            if (how == 1) c.token_budget = 0;
        });
        const BranchId branch = driver.fork(dead.root, 1)[0];
        const RequestId running = driver.extend(branch, 99);
        while (how != 1 && driver.probe->decodes < 3) std::this_thread::yield();  // of the prompt's five
        if (how == 0) driver.stop(dead.search);
        if (how == 2) driver.release(branch);
        if (how == 3) driver.wait(running);
        const auto living = driver.open(std::string(80, '5'), 1);
        CHECK(driver.wait(driver.extend(living.root), 10).error == ErrorCode::none);
        driver.wait(running);
    }
}

// Faults and pressure together: what failed in company runs alone, and must find room for it.
TEST(a_fault_under_pressure_stops_nobody) {
    for (int32_t every = 3; every < 60; every += 7) {
        Driver::Setup setup;
        setup.generator = in({100, 4, 24, 8});
        setup.generator.no_slot_every = every;
        Driver driver(setup);
        std::vector<RequestId> requests;
        for (uint64_t i = 0; i < 6; ++i) {
            const auto opened = driver.open(std::string(30 + i * 9, static_cast<char>('a' + i)), i);
            for (const BranchId branch : driver.fork(opened.root, 2)) requests.push_back(driver.extend(branch, 2));
        }
        for (const RequestId request : requests) driver.wait(request, 10);
    }
}

TEST(random_work_in_a_small_cache_always_ends) {
    for (uint64_t seed = 0; seed < 24; ++seed) {
        std::mt19937_64 random(seed);
        Driver::Setup setup;
        setup.with_verifier = true;
        setup.generator = setup.verifier = in(rooms[seed % rooms.size()]);
        if (seed % 3 == 0) setup.generator.fail_every = setup.verifier.throw_every = 17;
        Driver driver(setup);
        std::vector<RequestId> requests;
        std::vector<BranchId> branches;
        for (uint64_t s = 0; s < 4; ++s) branches.push_back(driver.open(std::string(s + 1, 'w'), seed + s).root);
        for (int i = 0; i < 250; ++i) {
            const BranchId branch = branches[random() % branches.size()];
            const auto dice = random() % 20;
            SamplerOptions sampler;
            sampler.temperature = seed % 2 ? 0.2f : 1.0f;  // many that draw alike, or few
            if (dice < 8)
                requests.push_back(driver.extend(branch, 1 + random() % 2, random() % 2, sampler));
            else if (dice < 12)
                branches.push_back(driver.fork(branch, 1)[0]);
            else if (dice < 14)
                driver.release(branch);
            else if (dice < 19)
                requests.push_back(driver.score(branch));
            else
                std::this_thread::sleep_for(std::chrono::microseconds(300));
        }
        for (const RequestId request : requests) driver.wait(request, 20);
    }
}

}  // namespace
