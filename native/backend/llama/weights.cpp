#include "backend/llama/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "base/error.h"
#include "ggml.h"

namespace thinktree {

namespace {

constexpr ggml_type sources[] = {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16};
constexpr ggml_type targets[] = {GGML_TYPE_F32,  GGML_TYPE_F16,  GGML_TYPE_BF16, GGML_TYPE_Q8_0,
                                 GGML_TYPE_Q4_0, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K};

constexpr float largest_half = 65504;

ggml_type one_of(std::span<const ggml_type> formats, int32_t number) {
    const auto found = std::find(formats.begin(), formats.end(), static_cast<ggml_type>(number));
    if (found == formats.end()) {
        throw Error(ErrorCode::invalid_option, "no conversion of number format " + std::to_string(number));
    }
    return *found;
}

std::vector<float> floats_of(std::span<const uint8_t> bytes, ggml_type type) {
    std::vector<float> floats(bytes.size() / ggml_type_size(type));
    if (type == GGML_TYPE_F32) {
        std::memcpy(floats.data(), bytes.data(), bytes.size());
    } else {
        ggml_get_type_traits(type)->to_float(bytes.data(), floats.data(), static_cast<int64_t>(floats.size()));
    }
    return floats;
}

// Every format of ours but these two keeps its scales in halves.
bool holds_large_numbers(ggml_type type) { return type == GGML_TYPE_F32 || type == GGML_TYPE_BF16; }

}  // namespace

std::vector<uint8_t> convert_weights(std::span<const uint8_t> bytes, int32_t from, int32_t to, int64_t columns) {
    const ggml_type source = one_of(sources, from);
    const ggml_type target = one_of(targets, to);
    if (columns <= 0 || columns % ggml_blck_size(target) != 0 || bytes.size() % ggml_row_size(source, columns) != 0) {
        throw Error(ErrorCode::invalid_option, "rows of " + std::to_string(columns) + " numbers do not fit " +
                                                   ggml_type_name(target) + " or the " + std::to_string(bytes.size()) +
                                                   " bytes given");
    }
    const std::vector<float> floats = floats_of(bytes, source);
    const float limit = holds_large_numbers(target) ? HUGE_VALF : largest_half;
    for (const float value : floats) {
        if (std::isfinite(value) && std::abs(value) <= limit) continue;
        throw Error(ErrorCode::invalid_option,
                    std::isfinite(value) ? std::to_string(value) + " is too large for " + ggml_type_name(target)
                                         : std::string("some are infinite or not a number"));
    }
    const auto rows = static_cast<int64_t>(floats.size()) / columns;
    std::vector<uint8_t> converted(ggml_row_size(target, columns) * static_cast<size_t>(rows));
    ggml_quantize_chunk(target, floats.data(), converted.data(), 0, rows, columns, nullptr);
    return converted;
}

}  // namespace thinktree
