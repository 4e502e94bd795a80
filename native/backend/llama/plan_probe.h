// Owns: finding out whether a model's attention can read a tree plan where llama.cpp would have it read a mask.
// Must not know: how attention is computed. Thread: the one that makes contexts.
#pragma once

struct llama_model;

namespace thinktree {

// Most models have one kind of attention, which takes the mask and nothing else does. Some also look at the mask
// themselves (an indexer, a second attention): they must have a real one. Decodes a token to see.
bool attention_reads_plans(llama_model * model);

}  // namespace thinktree
