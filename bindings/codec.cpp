#include "codec.h"

#include <algorithm>

namespace thinktree {

namespace {

enum class Op { open, fork, extend, score, release, stop, ledger, close, condition, hidden, write, pair, restore };

class Reader {
public:
    Reader(const Napi::Float64Array & numbers, const Napi::Array & strings) : numbers_(numbers), strings_(strings) {}

    bool at_end() const { return next_number_ == numbers_.ElementLength(); }
    double number() {
        if (at_end()) throw Napi::TypeError::New(numbers_.Env(), "thinktree: a command is cut short");
        return numbers_[next_number_++];
    }
    uint32_t id() { return static_cast<uint32_t>(number()); }
    int64_t integer() { return static_cast<int64_t>(number()); }
    std::string string() {
        const Napi::Value value = strings_.Get(next_string_++);
        if (!value.IsString()) throw Napi::TypeError::New(numbers_.Env(), "thinktree: a command lacks a string");
        return value.As<Napi::String>().Utf8Value();
    }
    // A template, what somebody has said in it, the template again, and so on.
    Text parts() {
        Text text;
        for (uint32_t n = id(); text.size() < n;) text.push_back({string(), text.size() % 2 == 0});
        return text;
    }

private:
    const Napi::Float64Array & numbers_;
    const Napi::Array & strings_;
    size_t next_number_ = 0;
    uint32_t next_string_ = 0;
};

Pattern::Places read_places(Reader & in) {
    Pattern::Places places;
    for (uint32_t n = in.id(); n > 0; --n) places.set(in.id() % Pattern::most_places);
    return places;
}

Pattern read_pattern(Reader & in) {
    Pattern pattern;
    pattern.places.resize(std::min<size_t>(in.id(), Pattern::most_places));
    for (Pattern::Place & place : pattern.places) {
        for (uint32_t n = in.id(); n > 0; --n) {
            const uint32_t first = in.id();
            place.characters.emplace_back(first, in.id());
        }
        place.next = read_places(in);
    }
    if (pattern.places.empty()) return pattern;
    pattern.first = read_places(in);
    pattern.last = read_places(in);
    return pattern;
}

OpenSearch read_open(Reader & in) {
    OpenSearch c{};
    c.request = in.id();
    c.search = in.id();
    c.root = in.id();
    const uint64_t high = in.id();
    c.seed = (high << 32) | in.id();
    c.token_budget = in.integer();
    c.deadline_ms = in.number();
    c.max_length = in.integer();
    c.flops_budget = in.number();
    c.account = in.id();
    c.judges = in.id();
    c.verifier_sees_context = in.number() != 0;
    c.again = in.number() != 0;
    const uint32_t stops = in.id();
    c.rules.delimiters.clear();
    const uint32_t delimiters = in.id();
    c.rules.tokens = in.id();
    c.rules.least_log_probability = static_cast<float>(in.number());
    c.rules.pattern = read_pattern(in);
    c.prompt = in.parts();
    c.verifier_prompt = in.parts();
    c.rules.final_prefix = in.string();
    for (uint32_t i = 0; i < delimiters; ++i) c.rules.delimiters.push_back(in.string());
    for (uint32_t i = 0; i < stops; ++i) c.rules.stop.push_back(in.string());
    return c;
}

Extend read_extend(Reader & in) {
    Extend c{};
    c.request = in.id();
    c.branch = in.id();
    c.steps = in.id();
    c.score = in.number() != 0;
    c.sampler.temperature = static_cast<float>(in.number());
    c.sampler.top_k = static_cast<int32_t>(in.number());
    c.sampler.top_p = static_cast<float>(in.number());
    c.sampler.min_p = static_cast<float>(in.number());
    c.ahead = in.id();
    return c;
}

Restore read_restore(Reader & in) {
    Restore c{};
    c.branch = in.id();
    c.finished = in.number() != 0;
    for (uint32_t steps = in.id(); steps > 0; --steps) {
        WrittenStep step;
        step.cut = in.number() != 0;
        step.last = in.number() != 0;
        step.scored = in.number() != 0;
        for (uint32_t tokens = in.id(); tokens > 0; --tokens) step.tokens.push_back(static_cast<Token>(in.integer()));
        step.text = in.string();
        c.steps.push_back(std::move(step));
    }
    return c;
}

Command read_command(Napi::Env env, Reader & in) {
    switch (static_cast<Op>(in.id())) {
        case Op::open: return read_open(in);
        case Op::fork: {
            const BranchId parent = in.id();
            const BranchId first = in.id();
            return Fork{parent, first, in.id()};
        }
        case Op::extend: return read_extend(in);
        case Op::score: {
            const RequestId request = in.id();
            return Score{request, in.id()};
        }
        case Op::release: return Release{in.id()};
        case Op::stop: return Stop{in.id()};
        case Op::ledger: {
            const RequestId request = in.id();
            return ReadLedger{request, in.id()};
        }
        case Op::close: {
            const RequestId request = in.id();
            return CloseSearch{request, in.id()};
        }
        case Op::condition: {
            const BranchId parent = in.id();
            const BranchId branch = in.id();
            const bool again = in.number() != 0;
            return Condition{parent, branch, in.parts(), again};
        }
        case Op::write: {
            const BranchId branch = in.id();
            const bool last = in.number() != 0;
            const bool again = in.number() != 0;
            const bool scored = in.number() != 0;
            return Write{branch, in.string(), last, again, scored};
        }
        case Op::pair: {
            const RequestId request = in.id();
            const BranchId branch = in.id();
            std::string positive = in.string(), negative = in.string();
            return ReadPair{request, branch, std::move(positive), std::move(negative)};
        }
        case Op::restore: return read_restore(in);
        case Op::hidden: {
            const RequestId request = in.id();
            return HiddenState{request, in.id()};
        }
    }
    throw Napi::TypeError::New(env, "thinktree: no such command");
}

Napi::Value number(Napi::Env env, auto value) { return Napi::Number::New(env, static_cast<double>(value)); }

Napi::Object encode_ledger(Napi::Env env, const Ledger & ledger) {
    Napi::Object out = Napi::Object::New(env);
    out["promptTokens"] = number(env, ledger.prompt_tokens);
    out["generatedTokens"] = number(env, ledger.generated_tokens);
    out["coalescedTokens"] = number(env, ledger.coalesced_tokens);
    out["verifierPromptTokens"] = number(env, ledger.verifier_prompt_tokens);
    out["verifierTokens"] = number(env, ledger.verifier_tokens);
    out["referenceTokens"] = number(env, ledger.reference_tokens);
    out["recomputedTokens"] = number(env, ledger.recomputed_tokens);
    out["speculatedTokens"] = number(env, ledger.speculated_tokens);
    out["speculatedKept"] = number(env, ledger.speculated_kept);
    out["kvCellsPeak"] = number(env, ledger.kv_cells_peak);
    out["verifierKvCellsPeak"] = number(env, ledger.verifier_kv_cells_peak);
    out["treeTokensPeak"] = number(env, ledger.tree_tokens_peak);
    out["draftTokens"] = number(env, ledger.draft_tokens);
    out["milliseconds"] = number(env, ledger.milliseconds);
    out["flops"] = number(env, ledger.flops);
    return out;
}

}  // namespace

std::vector<Command> decode_commands(const Napi::Float64Array & numbers, const Napi::Array & strings) {
    Reader in(numbers, strings);
    std::vector<Command> commands;
    while (!in.at_end()) commands.push_back(read_command(numbers.Env(), in));
    return commands;
}

Napi::Value encode_completion(Napi::Env env, const Completion & completion, bool restorable) {
    Napi::Object out = Napi::Object::New(env);
    out["request"] = number(env, completion.request);
    if (completion.error != ErrorCode::none) {
        out["code"] = error_code_name(completion.error);
        out["message"] = completion.message;
        return out;
    }
    out["reason"] = finish_reason_name(completion.reason);
    Napi::Array steps = Napi::Array::New(env, completion.steps.size());
    for (uint32_t i = 0; i < completion.steps.size(); ++i) {
        const StepResult & step = completion.steps[i];
        Napi::Object object = Napi::Object::New(env);
        object["text"] = step.text;
        object["tokens"] = number(env, step.tokens);
        object["logProbability"] = number(env, step.log_probability);
        if (restorable) {
            Napi::Int32Array ids = Napi::Int32Array::New(env, step.again.tokens.size());
            std::copy(step.again.tokens.begin(), step.again.tokens.end(), ids.Data());
            object["ids"] = ids;
            object["cut"] = step.again.cut;
            object["last"] = step.again.last;
        }
        steps[i] = object;
    }
    out["steps"] = steps;
    Napi::Array scores = Napi::Array::New(env, completion.scores.size());
    for (uint32_t i = 0; i < completion.scores.size(); ++i) scores[i] = number(env, completion.scores[i]);
    out["scores"] = scores;
    if (!completion.hidden.empty()) {
        Napi::Float32Array hidden = Napi::Float32Array::New(env, completion.hidden.size());
        std::copy(completion.hidden.begin(), completion.hidden.end(), hidden.Data());
        out["hidden"] = hidden;
    }
    if (completion.ledger) out["ledger"] = encode_ledger(env, *completion.ledger);
    return out;
}

Napi::Value encode_stats(Napi::Env env, const EngineStats & stats) {
    Napi::Object out = Napi::Object::New(env);
    out["prefillMs"] = number(env, stats.prefill_ms);
    out["decodeMs"] = number(env, stats.decode_ms);
    out["sampleMs"] = number(env, stats.sample_ms);
    out["planMs"] = number(env, stats.plan_ms);
    out["verifyMs"] = number(env, stats.verify_ms);
    out["draftMs"] = number(env, stats.draft_ms);
    out["idleMs"] = number(env, stats.idle_ms);
    out["decodes"] = number(env, stats.decodes);
    out["decodedTokens"] = number(env, stats.decoded_tokens);
    out["verifierDecodes"] = number(env, stats.verifier_decodes);
    out["verifierTokens"] = number(env, stats.verifier_tokens);
    out["referenceDecodes"] = number(env, stats.reference_decodes);
    out["referenceTokens"] = number(env, stats.reference_tokens);
    out["draftDecodes"] = number(env, stats.draft_decodes);
    out["draftTokens"] = number(env, stats.draft_tokens);
    out["kvCells"] = number(env, stats.kv_cells);
    out["verifierKvCells"] = number(env, stats.verifier_kv_cells);
    out["referenceKvCells"] = number(env, stats.reference_kv_cells);
    out["draftKvCells"] = number(env, stats.draft_kv_cells);
    out["leases"] = number(env, stats.leases);
    out["searches"] = number(env, stats.searches);
    out["treeAttention"] = number(env, stats.tree_attention);
    out["deviceSampling"] = number(env, stats.device_sampling);
    out["branches"] = number(env, stats.branches);
    out["progress"] = number(env, stats.progress);
    return out;
}

}  // namespace thinktree
