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

// Its memory is a state, and it has no attention.
bool is_recurrent(const GgufFile & file);

}  // namespace thinktree
