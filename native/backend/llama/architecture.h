// Owns: which of llama.cpp's architectures have branches. Must not know: any one model. Thread: any.
#pragma once

#include <optional>
#include <string>

namespace thinktree {

class GgufFile;

// Why this model cannot be searched with; none where nothing speaks against it.
std::optional<std::string> unfit(const GgufFile & file);

// Changes to another file's weights.
bool is_adapter(const GgufFile & file);

// What it remembers a text by: a KV cell for each token, which its attention reads; a state that has read all tokens;
// or both, layer by layer or side by side.
enum class MemoryKind { cells, states, both };
MemoryKind memory_kind(const GgufFile & file);

}  // namespace thinktree
