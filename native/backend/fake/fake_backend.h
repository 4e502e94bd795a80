// Owns: a deterministic toy model over bytes, with a KV cache that notices every misuse and faults to order.
// Must not know: the engine above it. Thread: as backend.h says.
//
// The toy writes arithmetic-looking lines ("4+71\n"), a few a solution, then its end token. What it writes depends
// on a hash of exactly the tokens that the row can see in the cache. A cell that is missing, double, or left over
// from another branch changes the hash or is reported as a violation, so that a wrong fork cannot go unnoticed. As a
// hybrid model it has a state for each sequence besides, which must have read exactly what the row sees: a state that
// is taken back, copied in mid-path or used after a failed decode is a violation.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "backend/backend.h"

namespace thinktree {

// What FakeOptions begin with: tests are run again with the other kind of memory.
inline bool fakes_fork_at_ends = false;

struct FakeOptions {
    int32_t cells = 4096;
    int32_t batch = 256;
    int32_t sequences = 64;
    int32_t positions = 1024;
    int32_t tree_rows = 64;
    bool forks_at_ends = fakes_fork_at_ends;
    int32_t vocab = 260;  // bytes, end, tag and padding; at least 258
    std::chrono::microseconds decode_time{0};
    // Faults, each counted over the decodes of one context; 0 never.
    int32_t fail_every = 0;      // this decode returns failed
    int32_t no_slot_every = 0;   // this decode returns no_slot
    int32_t throw_every = 0;     // this decode throws, as llama.cpp may
    Token poison_token = -1;     // any batch with this token fails, alone or in company
    Token nan_after_token = -1;  // the logits after this token are NaN
    // Faults of the whole process, each counted likewise: 0 never, -1 never. Where there is a `fault_file`, only what
    // takes it away comes to pass: so many files, so many faults, over any number of processes.
    int32_t crash_at_decode = 0;
    int32_t hang_at_decode = 0;
    Token crash_on_token = -1;  // a batch with this token
    std::string fault_file = {};
    // After every so many tokens of a path the toy thinks otherwise than one without this; 0: never, 1: always.
    int32_t stray_every = 0;
};

// Shared by all contexts of a fake model; read by tests.
struct FakeProbe {
    std::atomic<int64_t> decodes{0};
    std::atomic<int64_t> rows{0};
    std::atomic<int64_t> largest_batch{0};
    std::atomic<int64_t> cells_used{0};
    std::atomic<int64_t> cells_peak{0};
    std::atomic<int64_t> violations{0};
};

constexpr Token fake_end_token = 256;
constexpr Token fake_tag_token = 257;
constexpr std::string_view fake_tag = "<tag>";  // its text in a template
constexpr uint32_t fake_width = 8;

std::shared_ptr<const Model> make_fake_model(const FakeOptions & options, std::shared_ptr<FakeProbe> probe = nullptr);

}  // namespace thinktree
