// Owns: a verifier's reading as lib/engine/options.ts gives it, and making it once the model is there.
// Must not know: where a recipe comes from. Thread: read_reading on the JavaScript thread, make_reading on the
// scheduler thread.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "scheduler/reading.h"

namespace thinktree {

struct ReadingOptions {
    Reading reading;                 // but for what needs the model or a file
    std::string positive, negative;  // of a pair
    std::string head;                // of a head: its sidecar
    RewardHead::Activation activation = RewardHead::Activation::sigmoid;
    std::vector<size_t> classes;
};

ReadingOptions read_reading(const Napi::Object & options);

// Throws Error (invalid_option, model_load_failed).
Reading make_reading(const ReadingOptions & options, const Model & model);

// Of a judge, which is no Reading: see Lanes::judge.
constexpr const char * judge_reading = "judge";
const char * reading_name(Reading::Kind kind);

}  // namespace thinktree
