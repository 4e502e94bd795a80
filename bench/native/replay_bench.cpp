// Owns: a recorded tree replayed by plain calls of llama_decode, as a careful user of llama.cpp as it comes would make
// them. Must not know: thinktree, how the tree was found, other rivals. Thread: one, beside ggml's.
//
//   replay_bench <memory> <attention> <rows> <threads> <schedule> <generator> [verifier]
//
//   memory    unified: one pool of KV cells; a fork tags its parent's cells.
//             streams: a part of the memory for each branch; a fork copies its parent's.
//   attention flash or plain: llama.cpp's kernel for all of it at once, or a few matrix products.
//   rows      of one batch of single tokens at most. In llama.cpp as it comes, CPU attention of 64 rows goes another
//   way
//             than that of 63.
//   schedule  "prompt <tokens>", then "round <branches>" with a parent and a length for each branch. A parent is a
//   place
//             in the round before, -1 the prompt.
//
// Tokens are forced and random; of each row of logits wanted, the largest is found. As in thinktree, a step's last
// token is decoded only when a branch goes on from there, once for all its children; the verifier reads every step and
// one tag.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "ggml-cpu.h"
#include "llama.h"

namespace {

using Clock = std::chrono::steady_clock;
using Tokens = std::vector<llama_token>;

constexpr int32_t long_batch = 512;
constexpr uint32_t cells_in_step = 256;  // llama.cpp rounds up to these
constexpr llama_token bytes = 256;       // tokens below are not words

struct Growth {
    int parent;
    int length;
};
using Round = std::vector<Growth>;

struct Schedule {
    int prompt = 0;
    std::vector<Round> rounds;

    explicit Schedule(const std::string & path) {
        std::ifstream file(path);
        std::string word;
        file >> word >> prompt;
        for (size_t branches = 0; file >> word >> branches;) {
            Round & round = rounds.emplace_back(branches);
            for (Growth & growth : round) file >> growth.parent >> growth.length;
        }
        if (prompt < 2 || rounds.empty()) throw std::runtime_error(path + " is no schedule");
    }

    // For `tag` tokens after each step: the longest path, and all tokens together.
    int longest(int tag) const {
        int most = prompt;
        std::vector<int> before(1, prompt);
        for (const Round & round : rounds) {
            std::vector<int> ends;
            for (const auto & [parent, length] : round) {
                ends.push_back(before[std::max(parent, 0)] + length + tag);
                most = std::max(most, ends.back());
            }
            before = std::move(ends);
        }
        return most;
    }

    int all(int tag) const {
        int sum = prompt;
        for (const Round & round : rounds) {
            for (const Growth & growth : round) sum += growth.length + tag;
        }
        return sum;
    }

    size_t widest() const {
        size_t most = 0;
        for (const Round & round : rounds) most = std::max(most, round.size());
        return most;
    }
};

struct Settings {
    bool unified;
    bool flash;
    int rows;
    int threads;
};

uint32_t rounded(int cells) {
    return (static_cast<uint32_t>(cells) + cells_in_step - 1) / cells_in_step * cells_in_step;
}

struct Row {
    llama_token token;
    llama_pos pos;
    llama_seq_id seq;
    bool wanted;
};

// A model and its context: rows in, logits read.
class Reader {
public:
    Reader(const char * path, const Schedule & schedule, int tag, const Settings & settings)
        : settings_(settings),
          model_(llama_model_load_from_file(path, llama_model_default_params()), llama_model_free) {
        if (!model_) throw std::runtime_error(std::string("no model at ") + path);
        n_vocab_ = llama_vocab_n_tokens(llama_model_get_vocab(model_.get()));
        const auto branches = static_cast<uint32_t>(schedule.widest());
        llama_context_params params = llama_context_default_params();
        params.n_ctx = settings.unified ? rounded(schedule.all(tag)) : branches * rounded(schedule.longest(tag));
        params.n_batch = params.n_ubatch = long_batch;
        params.n_seq_max = branches;
        params.n_threads = params.n_threads_batch = settings.threads;
        params.flash_attn_type = settings.flash ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
        params.kv_unified = settings.unified;
        params.no_perf = true;
        context_.reset(llama_init_from_model(model_.get(), params));
        if (!context_) throw std::runtime_error("no context");
        ggml_threadpool_params pool = ggml_threadpool_params_default(settings.threads);
        threadpool_.reset(ggml_threadpool_new(&pool));
        llama_attach_threadpool(context_.get(), threadpool_.get(), threadpool_.get());
    }

    llama_token vocabulary() const { return n_vocab_; }

    // In batches of equal size: a last one of a single row would cost as much as a full one.
    void decode(const std::vector<Row> & rows, int at_most) {
        const size_t batches = (rows.size() + static_cast<size_t>(at_most) - 1) / static_cast<size_t>(at_most);
        for (size_t i = 0; i < batches; ++i) {
            const auto at = [&](size_t batch) {
                return rows.begin() + static_cast<ptrdiff_t>(rows.size() * batch / batches);
            };
            decode_batch({at(i), at(i + 1)});
        }
    }

    void fork(llama_seq_id from, llama_seq_id to) {
        llama_memory_seq_rm(llama_get_memory(context_.get()), to, -1, -1);
        llama_memory_seq_cp(llama_get_memory(context_.get()), from, to, -1, -1);
    }

    void clear() { llama_memory_clear(llama_get_memory(context_.get()), false); }

private:
    void decode_batch(const std::vector<Row> & rows) {
        Tokens tokens;
        std::vector<llama_pos> positions;
        std::vector<llama_seq_id> seqs;
        std::vector<int8_t> wanted;
        for (const Row & row : rows) {
            tokens.push_back(row.token);
            positions.push_back(row.pos);
            seqs.push_back(row.seq);
            wanted.push_back(row.wanted);
        }
        std::vector<int32_t> counts(rows.size(), 1);
        std::vector<llama_seq_id *> seq_pointers;
        for (llama_seq_id & seq : seqs) seq_pointers.push_back(&seq);
        const llama_batch batch{static_cast<int32_t>(rows.size()),
                                tokens.data(),
                                nullptr,
                                positions.data(),
                                counts.data(),
                                seq_pointers.data(),
                                wanted.data()};
        if (llama_decode(context_.get(), batch) != 0) throw std::runtime_error("llama_decode failed");
        for (size_t i = 0; i < rows.size(); ++i) {
            if (!rows[i].wanted) continue;
            const float * logits = llama_get_logits_ith(context_.get(), static_cast<int32_t>(i));
            largest_ += static_cast<double>(*std::max_element(logits, logits + n_vocab_));
        }
    }

    template <auto Free>
    struct Deleter {
        template <typename T>
        void operator()(T * object) const {
            Free(object);
        }
    };

    Settings settings_;
    std::unique_ptr<llama_model, decltype(&llama_model_free)> model_;
    std::unique_ptr<ggml_threadpool, Deleter<ggml_threadpool_free>> threadpool_;
    std::unique_ptr<llama_context, Deleter<llama_free>> context_;
    llama_token n_vocab_ = 0;
    double largest_ = 0;  // keeps the compiler from dropping a search whose result nobody reads
};

struct Branch {
    llama_seq_id seq;
    llama_pos end;           // tokens before the one to decode next
    llama_pos verified_end;  // tokens that the verifier has read
    llama_token last;        // sampled, not decoded
};

class Replay {
public:
    Replay(const Schedule & schedule, const Settings & settings, Reader & generator, Reader * verifier)
        : schedule_(schedule), settings_(settings), generator_(generator), verifier_(verifier) {}

    void run() {
        read_prompt();
        for (const Round & round : schedule_.rounds) {
            fork(round);
            generate(round);
            if (verifier_ != nullptr) verify(round);
        }
    }

private:
    llama_token any_token() {
        return std::uniform_int_distribution<llama_token>(bytes, generator_.vocabulary() - 2)(random_);
    }

    void read_prompt() {
        std::vector<Row> rows;
        for (llama_pos pos = 0; pos < schedule_.prompt; ++pos) rows.push_back({any_token(), pos, 0, false});
        if (verifier_ != nullptr) verifier_->decode(rows, long_batch);
        rows.back().wanted = true;
        generator_.decode(rows, long_batch);
        branches_ = {{0, schedule_.prompt, schedule_.prompt, -1}};
    }

    // The first child takes its parent's sequence, the others take those of the pruned.
    void fork(const Round & round) {
        std::vector<bool> taken(schedule_.widest(), false);
        std::vector<Row> owed;
        for (size_t i = 0; i < branches_.size(); ++i) {
            Branch & branch = branches_[i];
            const bool grows = std::any_of(round.begin(), round.end(), [&](const Growth & growth) {
                return static_cast<size_t>(std::max(growth.parent, 0)) == i;
            });
            if (!grows) continue;
            taken[static_cast<size_t>(branch.seq)] = true;
            if (branch.last >= 0) owed.push_back({branch.last, branch.end++, branch.seq, true});
        }
        generator_.decode(owed, settings_.rows);

        std::vector<Branch> children;
        std::vector<bool> has_child(branches_.size(), false);
        for (const Growth & growth : round) {
            const auto parent = static_cast<size_t>(std::max(growth.parent, 0));
            Branch child = branches_[parent];
            if (has_child[parent]) {
                const auto free = std::find(taken.begin(), taken.end(), false);
                *free = true;
                child.seq = static_cast<llama_seq_id>(free - taken.begin());
                generator_.fork(branches_[parent].seq, child.seq);
                if (verifier_ != nullptr) verifier_->fork(branches_[parent].seq, child.seq);
            }
            has_child[parent] = true;
            children.push_back(child);
        }
        branches_ = std::move(children);
    }

    // All branches in one batch a token; who has come to its step's end leaves.
    void generate(const Round & round) {
        std::vector<Row> rows;
        for (int written = 1; written == 1 || !rows.empty(); ++written) {
            rows.clear();
            for (size_t i = 0; i < branches_.size(); ++i) {
                Branch & branch = branches_[i];
                branch.last = any_token();
                if (written < round[i].length) rows.push_back({branch.last, branch.end++, branch.seq, true});
            }
            generator_.decode(rows, settings_.rows);
        }
    }

    void verify(const Round & round) {
        std::vector<Row> rows;
        for (size_t i = 0; i < branches_.size(); ++i) {
            Branch & branch = branches_[i];
            for (int left = round[i].length; left >= 0; --left) {  // the tag comes last
                rows.push_back({any_token(), branch.verified_end++, branch.seq, left == 0});
            }
        }
        verifier_->decode(rows, settings_.rows < 64 ? settings_.rows : long_batch);
    }

    const Schedule & schedule_;
    const Settings settings_;
    Reader & generator_;
    Reader * verifier_;
    std::vector<Branch> branches_;
    std::mt19937 random_{1};
};

rusage usage() {
    rusage own{};
    getrusage(RUSAGE_SELF, &own);
    return own;
}

double cpu_ms(const rusage & usage) {
    const auto ms = [](const timeval & time) {
        return 1000.0 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1000.0;
    };
    return ms(usage.ru_utime) + ms(usage.ru_stime);
}

int run(int count, char ** values) {
    if (count != 7 && count != 8) {
        std::fprintf(
            stderr,
            "replay_bench <unified|streams> <flash|plain> <rows> <threads> <schedule> <generator> [verifier]\n");
        return 2;
    }
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    llama_backend_init();
    const Settings settings{std::string(values[1]) == "unified", std::string(values[2]) == "flash",
                            std::stoi(values[3]), std::stoi(values[4])};
    const Schedule schedule(values[5]);
    Reader generator(values[6], schedule, 0, settings);
    std::unique_ptr<Reader> verifier;
    if (count == 8) verifier = std::make_unique<Reader>(values[7], schedule, 1, settings);

    // Warm: the weights are in memory, the graphs' buffers allocated.
    for (Reader * reader : {&generator, verifier.get()}) {
        if (reader == nullptr) continue;
        reader->decode({{bytes, 0, 0, true}}, 1);
        reader->clear();
    }
    const auto begun = Clock::now();
    const double cpu_begun = cpu_ms(usage());
    Replay(schedule, settings, generator, verifier.get()).run();
    const std::chrono::duration<double, std::milli> total = Clock::now() - begun;
    std::printf("{\"totalMs\": %.1f, \"cpuMs\": %.1f, \"peakRssMb\": %.1f}\n", total.count(),
                cpu_ms(usage()) - cpu_begun, static_cast<double>(usage().ru_maxrss) / 1024);
    return 0;
}

}  // namespace

int main(int count, char ** values) {
    try {
        return run(count, values);
    } catch (const std::exception & error) {
        std::fprintf(stderr, "replay_bench: %s\n", error.what());
        return 1;
    }
}
