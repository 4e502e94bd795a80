#include "scheduler/ahead.h"

#include <unordered_map>

#include "base/counter_rng.h"
#include "scheduler/step_text.h"

namespace thinktree {

// ---- branches ----

void Ahead::begin(const std::vector<Offer> & offers) {
    if (offers.empty()) return;
    // Beyond what many batches could hold, writers would only fill the memory.
    const auto batch = static_cast<size_t>(lane_.context->limits().batch);
    size_t writers = 0;
    for (const Below & at : all_) {
        for (const auto & job : at.jobs) writers += job->writers.size();
    }
    for (const auto & [branch, sampler, children] : offers) {
        writers += children;
        if (writers > batch * batch || branch->search->account->limited()) continue;
        auto at = below(*branch);
        if (at == all_.end()) at = all_.insert(all_.end(), Below{branch->step, {}});
        // Who comes to stand at the same step does so in the same turn. They will draw from the same logits.
        if (at->jobs.empty() || at->jobs.back()->growing) at->jobs.push_back(std::make_unique<Job>());
        for (uint32_t i = 0; i < children; ++i) {
            const uint64_t key = fork_key(branch->key, branch->forks + i);
            at->jobs.back()->writers.push_back({.branch = branch, .key = key, .sampler = sampler});
        }
    }
}

std::vector<Ahead::Below>::iterator Ahead::below(const Branch & branch) {
    return std::find_if(all_.begin(), all_.end(), [&](const Below & at) { return at.step == branch.step; });
}

void Ahead::hand_over(const Branch & parent, Branch & child) {
    const auto at = below(parent);
    if (at == all_.end()) return;
    for (const auto & job : at->jobs) {
        for (Writer & writer : job->writers) {
            if (writer.branch == &parent && writer.key == child.key) writer.branch = &child;
        }
    }
}

bool Ahead::adopt(Writer & writer, Jobs & jobs) {
    const Branch & branch = *writer.branch;
    const auto at = below(branch);
    if (at == all_.end()) return false;
    const auto from = std::find_if(at->jobs.begin(), at->jobs.end(), [&](const auto & job) {
        return std::any_of(job->writers.begin(), job->writers.end(), [&](const Writer & ahead) {
            return ahead.branch == &branch && ahead.key == writer.key && ahead.sampler == writer.sampler;
        });
    });
    // At its very beginning it is a text like any other.
    const bool found = from != at->jobs.end() && (*from)->growing && !branch.search->out_of_time(Clock::now());
    if (found) {
        keep(**from);
        const auto token = [](const Job & job) { return job.known ? job.known->token : -1; };
        auto beside = std::find_if(jobs.begin(), jobs.end(), [&](const auto & job) {
            return job->growing && job->growing.id() == (*from)->growing.id() && token(*job) == token(**from);
        });
        if (beside == jobs.end()) {
            beside = jobs.insert(jobs.end(), (*from)->part({}));
            (*beside)->age = writer.age;
            (*beside)->known = (*from)->known;
        }
        (*beside)->writers.push_back(std::move(writer));
    }
    drop(branch);
    return found;
}

// The text is a branch's own now. A token that another branch has had already is one that both have written.
void Ahead::keep(const Job & job) {
    TokenForest & forest = lane_.forest;
    Search & search = job.search();
    const NodeId above = job.step()->place->node.id();
    for (NodeId id = job.end(); id != above; id = forest[id].parent) {
        const auto tokens = static_cast<int64_t>(forest[id].size());
        if (forest[id].speculative) {
            search.generated += tokens;
            search.account->generated += tokens;
        } else {
            search.coalesced += tokens;
        }
        forest.keep(id);
    }
    forest.settle(job.end());
}

void Ahead::drop(const Branch & branch) {
    const auto at = below(branch);
    if (at == all_.end()) return;
    for (const auto & job : at->jobs) {
        std::erase_if(job->writers, [&](const Writer & writer) { return writer.branch == &branch; });
    }
    std::erase_if(at->jobs, [](const auto & job) { return job->writers.empty(); });
    if (at->jobs.empty()) all_.erase(at);
}

void Ahead::expire(Clock::time_point now) {
    std::erase_if(all_, [&](const Below & at) { return at.step->search->out_of_time(now); });
}

// ---- batches ----

void Ahead::plan(const Jobs & jobs) {
    if (all_.empty() || lane_.batch().rows.empty() || lane_.batch_is_long()) return;
    std::unordered_map<const Search *, uint32_t> room;
    for (const auto & job : jobs) {
        if (!job->done) room[&job->search()] = 0;
    }
    for (const Below & at : all_) {
        const auto search = room.find(at.step->search);
        if (search != room.end()) ++search->second;
    }
    std::stable_sort(all_.begin(), all_.end(), [](const Below & a, const Below & b) {
        return a.step->score.value_or(-1) > b.step->score.value_or(-1);
    });
    for (const Below & at : all_) {
        const auto search = room.find(at.step->search);
        if (search == room.end()) continue;
        for (const auto & job : at.jobs) {
            if (search->second == 0) break;
            job->planned = plan(*job);
            if (job->planned) --search->second;
        }
    }
}

bool Ahead::plan(const Job & job) {
    if (waits(job)) return false;
    const NodeId end = job.end();
    Node & node = lane_.forest[end];
    if (!node.kept_row.empty()) return true;
    if (lane_.owed(end) != 1) return false;  // it has lost its cells, which is for its branch to make good
    node.want_last = true;
    lane_.forest.plan(end, node.size(), spare, lane_.batch());
    return node.row >= 0;
}

// For its branch: the step ends with the next token, or has no room for it.
bool Ahead::waits(const Job & job) const {
    return job.known || at_length_limit(lane_, *job.writers.front().branch, job.end());
}

void Ahead::ask() {
    for (const Below & at : all_) {
        for (const auto & job : at.jobs) {
            const Node & end = lane_.forest[job->end()];
            if (end.row < 0 || !end.kept_row.empty() || waits(*job)) continue;
            job->planned = true;  // or somebody else at the same place is
            job->first_ask = lane_.asks().size();
            job->ask(lane_.asks(), end.row, end.end());
        }
    }
}

void Ahead::take_draws() {
    for (Below & at : all_) {
        const size_t size = at.jobs.size();  // they part
        for (size_t i = 0; i < size; ++i) {
            Job & job = *at.jobs[i];
            const NodeId end = job.end();
            const Node & node = lane_.forest[end];
            const bool kept = !node.kept_row.empty();
            if (!job.planned || (!kept && node.row < 0)) continue;
            if (!job.growing) lane_.keep_row(end);  // for the branches that stand here
            apply(at, job,
                  kept ? kept_rows_.draw(job, node.kept_row)
                       : lane_.answers().subspan(job.first_ask, job.writers.size()));
        }
        for (const auto & job : at.jobs) job->planned = false;
    }
}

void Ahead::apply(Below & at, Job & job, std::span<const Answer> drawn) {
    std::vector<Way> ways;
    const Answer * uncertain = nullptr;  // whatever is drawn where a step ends before it, the text is the same
    for (size_t i = 0; i < drawn.size(); ++i) {
        if (uncertain == nullptr && ends_before(job, drawn[i])) uncertain = &drawn[i];
        const Answer & way = ends_before(job, drawn[i]) ? *uncertain : drawn[i];
        way_of(ways, way).writers.push_back(std::move(job.writers[i]));
    }
    std::vector<Job *> parts{&job};
    for (size_t i = 1; i < ways.size(); ++i) {
        parts.push_back(at.jobs.emplace_back(job.part(std::move(ways[i].writers))).get());
    }
    job.writers = std::move(ways.front().writers);
    for (size_t i = 0; i < ways.size(); ++i) write(*parts[i], ways[i].drawn);
}

void Ahead::write(Job & job, const Answer & drawn) {
    const bool before = ends_before(job, drawn);
    if (drawn.token < 0 || before || ends_with(job, drawn.token)) {
        if (before) lane_.keep_row(job.end());  // the next step begins there
        job.known = drawn;
        return;
    }
    ++job.tokens;
    job.log_probability += static_cast<double>(drawn.value);
    job.scan.read(job.search().rules.pattern, lane_.model->piece(drawn.token));
    job.append(lane_.forest, drawn.token, lane_.model->piece(drawn.token), true, 0);
}

bool Ahead::ends_before(const Job & job, const Answer & drawn) const {
    if (drawn.token < 0 || lane_.model->is_end(drawn.token)) return false;
    return ends_step_before(drawn.value, job.text, job.search().rules);
}

bool Ahead::ends_with(const Job & job, Token token) const {
    if (lane_.model->is_end(token)) return true;
    const std::string text = job.text + lane_.model->piece(token);
    const StopRules & rules = job.search().rules;
    PatternScan scan = job.scan;
    return find_stop(text, job.text.size(), rules) != std::string::npos ||
           ends_step(text, job.text.size(), job.tokens + 1, scan, rules);
}

void Ahead::drop_planned() {
    std::erase_if(all_, [](const Below & at) {
        return std::any_of(at.jobs.begin(), at.jobs.end(), [](const auto & job) { return job->planned; });
    });
}

}  // namespace thinktree
