// Owns: what the engine can be told and what it answers. Commands carry ids that the caller chose, so that opening,
// forking and releasing need no answer; what can fail or takes time carries a request id and gets one Completion.
// Must not know: JavaScript, the scheduler's insides. Thread: any; plain data.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "backend/backend.h"
#include "base/error.h"
#include "scheduler/pattern.h"

namespace thinktree {

using RequestId = uint32_t;
using SearchId = uint32_t;
using AccountId = uint32_t;
using BranchId = uint32_t;

// Where a step ends, and where a solution does. With none of the first four the whole solution is one step. A step has
// at least a word in it, and whole tokens: it ends with the token in which its end is found.
struct StopRules {
    std::vector<std::string> delimiters{"\n"};  // up to and including any of these
    Pattern pattern;                            // where a match of it first ends
    uint32_t tokens = 0;                        // after so many; 0: off
    // Before a token that is drawn and is less likely, in natural logarithms, by the model at temperature 1: Liu et al.
    // 2025, "AdaptiveStep".
    float least_log_probability = -std::numeric_limits<float>::infinity();
    std::string final_prefix;       // a step that begins with it is the last; empty: only the end token ends
    std::vector<std::string> stop;  // the solution ends before any of these
};

struct OpenSearch {
    RequestId request;
    SearchId search;
    BranchId root;
    Text prompt;
    Text verifier_prompt;
    uint64_t seed = 0;
    int64_t token_budget = -1;  // generated tokens in all; negative: none
    double deadline_ms = -1;    // from now; negative: none
    double flops_budget = -1;   // of Ledger::flops; negative: none
    // Searches that name the same account spend the two budgets together: those of the one that was opened first. It
    // lasts while one of them is open. 0: the search's own.
    AccountId account = 0;
    // Not 0: the search whose steps this one judges, by the model that judges and not by the generator. It ends with
    // that one, has its deadline, and is in its account and its ledger. Its tokens are none of the token budget's.
    SearchId judges = 0;
    int64_t max_length = -1;  // tokens of one solution; negative: what the context holds
    // False: the verifier scores a conditioned branch's steps as if they followed its prompt. True: as if they followed
    // what the generator has read.
    bool verifier_sees_context = false;
    bool again = false;  // its prompts have been decoded before, by an engine that is no more: they count as recomputed
    StopRules rules;
};

// `count` new branches with ids first, first + 1, ... where `parent` is.
struct Fork {
    BranchId parent;
    BranchId first;
    uint32_t count;
};

// A new branch with an empty solution: its context is what `parent` has read and written, its end token excepted, and
// then `text`. What is wrong with it (too long) surfaces when it is extended or scored.
struct Condition {
    BranchId parent;
    BranchId branch;
    Text text;
    bool again = false;  // as in OpenSearch
};

// The next step of the branch's solution, which is given and not written by the generator.
struct Write {
    BranchId branch;
    std::string text;
    bool last = false;    // the solution ends with it
    bool again = false;   // as in OpenSearch
    bool scored = false;  // likewise, by the verifier
};

// One that a generator wrote, with all that is needed to put it there again.
struct WrittenStep {
    std::string text;
    std::vector<Token> tokens;  // its end token excepted
    bool cut = false;           // a stop string ended it: its tokens say more than its text
    bool last = false;          // the solution ended with it, as was known then
    bool scored = false;        // of a Restore: the verifier has decoded it before
};

// What an Extend wrote in an engine of the same models that is no more. Everything is as if the branch had written it
// here, but that its tokens count as recomputed when they are decoded; scores are computed again where they are asked
// for.
struct Restore {
    BranchId branch;
    std::vector<WrittenStep> steps;
    bool finished = false;
};

struct Extend {
    RequestId request;
    BranchId branch;
    uint32_t steps;
    SamplerOptions sampler;
    bool score;  // also score every step as soon as it ends
    // If it survives, the branch will be forked into so many, to be extended with the same sampler: their text may be
    // begun while others of the search still write. It changes no text, and no other figure of the ledger than time and
    // what is held. 0: off. Without effect where the search has a budget of tokens or operations.
    uint32_t ahead = 0;
};

struct Score {
    RequestId request;
    BranchId branch;
};

// The probability of one token to come next, if it or the other does. Both are texts of single tokens. Unscored where a
// deadline or a budget comes before it.
struct ReadPair {
    RequestId request;
    BranchId branch;
    std::string positive;
    std::string negative;
};

struct Release {
    BranchId branch;
};

// The generator's hidden state at the end of the prompt.
struct HiddenState {
    RequestId request;
    SearchId search;
};

// The deadline is now: what runs completes with what it has.
struct Stop {
    SearchId search;
};

struct ReadLedger {
    RequestId request;
    SearchId search;
};

// Everything the search holds is given up; what runs completes with `cancelled`. Answers with the ledger.
struct CloseSearch {
    RequestId request;
    SearchId search;
};

using Command = std::variant<OpenSearch, Fork, Condition, Write, Restore, Extend, Score, ReadPair, Release, HiddenState,
                             Stop, ReadLedger, CloseSearch>;

enum class FinishReason { step, end, length, budget, deadline };

constexpr const char * finish_reason_name(FinishReason reason) {
    switch (reason) {
        case FinishReason::step: return "step";
        case FinishReason::end: return "end";
        case FinishReason::length: return "length";
        case FinishReason::budget: return "budget";
        case FinishReason::deadline: return "deadline";
    }
    return "step";
}

struct StepResult {
    std::string text;
    uint32_t tokens;         // generated for it
    double log_probability;  // their sum, by the generator
    WrittenStep again = {};  // for a Restore, but for the text
};

// What one search has cost. Tokens, cells, milliseconds, floating-point operations.
struct Ledger {
    int64_t prompt_tokens = 0;           // of prompts and contexts, prefilled by the generator, once
    int64_t generated_tokens = 0;        // written, end tokens included; what branches wrote alike counts once
    int64_t coalesced_tokens = 0;        // saved by that: what they would have written beyond, each for itself
    int64_t verifier_prompt_tokens = 0;  // of prompts and contexts, prefilled by the verifier, once
    int64_t verifier_tokens = 0;         // step tokens and tags, each once; a judge's: what it has written
    int64_t reference_tokens = 0;        // of both, by the verifier's reference model, each once
    int64_t recomputed_tokens = 0;       // by any of these models, after parking
    int64_t kv_cells_peak = 0;           // the generator's cache
    int64_t verifier_kv_cells_peak = 0;
    int64_t tree_tokens_peak = 0;   // distinct live tokens of the generator's tree, prompt included
    int64_t speculated_tokens = 0;  // decoded by the generator before it was known whether they would be written
    int64_t speculated_kept = 0;    // those of them that were
    int64_t draft_tokens = 0;       // decoded by the draft model, all it does
    double milliseconds = 0;
    double flops = 0;  // 2 x parameters x decoded tokens, all models (Snell et al. 2024, section 7)
};

constexpr double unscored = std::numeric_limits<double>::quiet_NaN();

struct Completion {
    RequestId request;
    ErrorCode error = ErrorCode::none;
    std::string message;
    FinishReason reason = FinishReason::step;  // of an Extend
    std::vector<StepResult> steps;             // of an Extend: those it wrote
    std::vector<double> scores;    // of a Score: every step's of the solution; of a ReadPair: one. NaN: none
    std::vector<float> hidden;     // of a HiddenState
    std::optional<Ledger> ledger;  // of ReadLedger and CloseSearch; for a successor, of others too
    SearchId search = 0;           // of an Extend, a Score or a ReadPair that has not failed
};

// Where the scheduler's time has gone since the engine was loaded; milliseconds and counts.
struct EngineStats {
    double prefill_ms = 0;  // decodes of spans longer than a batch of branches
    double decode_ms = 0;   // of all others; what is asked of their logits included
    double sample_ms = 0;   // what the branches do with their draws
    double plan_ms = 0;     // forking, leasing, parking, filling batches
    double verify_ms = 0;   // the reference model's work included
    double draft_ms = 0;    // guessing what will be drawn
    double idle_ms = 0;
    int64_t decodes = 0;
    int64_t decoded_tokens = 0;
    int64_t verifier_decodes = 0;
    int64_t verifier_tokens = 0;
    int64_t reference_decodes = 0;
    int64_t reference_tokens = 0;
    int64_t draft_decodes = 0;
    int64_t draft_tokens = 0;
    int64_t kv_cells = 0;
    int64_t verifier_kv_cells = 0;
    int64_t reference_kv_cells = 0;
    int64_t draft_kv_cells = 0;
    int64_t leases = 0;
    int64_t searches = 0;
    int64_t branches = 0;
    int64_t tree_attention = 0;   // models, of all but the draft's, whose rows are computed against their paths alone
    int64_t device_sampling = 0;  // models, of the same, whose logits were last read on the GPU that computed them
    // Signs of life of the scheduler thread: turns, and how often a decode has asked whether it should go on. While
    // there is work it grows, or the thread hangs.
    int64_t progress = 0;
};

}  // namespace thinktree
