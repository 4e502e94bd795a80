// Owns: the texts among a GGUF's metadata, read without its weights. Must not know: what they mean. Thread: any.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace thinktree {

// Empty where there is no such file or it is none.
std::vector<std::pair<std::string, std::string>> metadata_texts(const std::string & path);

}  // namespace thinktree
