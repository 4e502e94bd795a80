// Owns: the codes of everything that can go wrong, and the exception that carries one inside native code.
// Must not know: who asked. Thread: any.
#pragma once

#include <stdexcept>
#include <string>

namespace thinktree {

enum class ErrorCode {
    none,
    cancelled,          // the search was closed while the operation was under way
    engine_closed,      // the engine was closed while the operation was under way
    model_load_failed,  // missing, truncated, garbage, or refused by llama.cpp
    unsupported_model,  // loads, but its memory cannot be forked at an earlier position
    context_exceeded,   // the prompt leaves no room for a solution
    empty_prompt,
    no_verifier,
    unknown_branch,  // released, or never made
    invalid_option,
    decode_failed,  // llama.cpp refused or failed the batch, also when the operation ran alone
    bad_logits,     // NaN or no finite logit: broken weights
    exhausted,      // the search's budget or deadline has ended it, and there is nothing to answer with
    internal,
};

// The name that crosses to JavaScript as `error.code`.
constexpr const char * error_code_name(ErrorCode code) {
    switch (code) {
        case ErrorCode::none: return "NONE";
        case ErrorCode::cancelled: return "CANCELLED";
        case ErrorCode::engine_closed: return "ENGINE_CLOSED";
        case ErrorCode::model_load_failed: return "MODEL_LOAD_FAILED";
        case ErrorCode::unsupported_model: return "UNSUPPORTED_MODEL";
        case ErrorCode::context_exceeded: return "CONTEXT_EXCEEDED";
        case ErrorCode::empty_prompt: return "EMPTY_PROMPT";
        case ErrorCode::no_verifier: return "NO_VERIFIER";
        case ErrorCode::unknown_branch: return "BRANCH_RELEASED";
        case ErrorCode::invalid_option: return "INVALID_OPTION";
        case ErrorCode::decode_failed: return "DECODE_FAILED";
        case ErrorCode::bad_logits: return "BAD_LOGITS";
        case ErrorCode::exhausted: return "EXHAUSTED";
        case ErrorCode::internal: return "INTERNAL";
    }
    return "INTERNAL";
}

class Error : public std::runtime_error {
public:
    Error(ErrorCode code, const std::string & message) : std::runtime_error(message), code(code) {}
    const ErrorCode code;
};

}  // namespace thinktree
