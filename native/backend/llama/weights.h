// Owns: weights in one number format as weights in another, by ggml's own conversions.
// Must not know: models, files. Thread: any; calls share nothing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace thinktree {

// Rows of `columns` numbers. Formats are ggml's numbers for them, as GGUF files have them: from F32, F16 or BF16 to one
// of these or a quantised format that needs no sample of activations. Throws Error (invalid_option) if a format or size
// does not fit, or a number is none or too large for the format.
std::vector<uint8_t> convert_weights(std::span<const uint8_t> bytes, int32_t from, int32_t to, int64_t columns);

}  // namespace thinktree
