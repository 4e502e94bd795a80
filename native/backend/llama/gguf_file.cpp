#include "backend/llama/gguf_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string_view>

#include "backend/llama/assertions.h"
#include "backend/llama/logging.h"
#include "base/error.h"
#include "ggml-cpu.h"
#include "ggml.h"
#include "gguf.h"
#include "llama.h"

namespace thinktree {

namespace {

// gguf.cpp compares each name with all before it: at a million it would take hours. The largest models have some 2,000
// tensors and 100 entries.
constexpr uint64_t most_names = 16'384;
constexpr uint16_t most_parts = 1'000;
// One kind of vocabulary is read by recursion, a call for each byte.
constexpr size_t longest_token = 4'096;

struct Bounds {
    const char * key;
    int64_t least;
    int64_t most;
};

// What llama.cpp divides by may not be zero; what it multiplies in 32 bits or makes lists of may not be huge.
constexpr std::array bounds{
    Bounds{".context_length", 1, std::numeric_limits<int32_t>::max()},
    Bounds{".embedding_length", 1, 1 << 20},
    Bounds{".embedding_length_out", 0, 1 << 20},
    Bounds{".block_count", 1, 512},
    Bounds{".feed_forward_length", 0, 1 << 24},
    Bounds{".vocab_size", 0, 1 << 24},
    Bounds{".attention.head_count", 1, 0xffff},
    Bounds{".attention.head_count_kv", 1, 0xffff},
    Bounds{".attention.key_length", 1, 0xffff},
    Bounds{".attention.value_length", 1, 0xffff},
    Bounds{".attention.key_length_swa", 1, 0xffff},
    Bounds{".attention.value_length_swa", 1, 0xffff},
    Bounds{".attention.output_group_count", 1, 0xffff},
    Bounds{".wkv.head_size", 1, 0xffff},
    Bounds{".token_shift_count", 1, 16},
    Bounds{".ssm.conv_kernel", 1, 0xffff},
    Bounds{".ssm.inner_size", 1, 1 << 20},
    Bounds{".ssm.state_size", 1, 0xffff},
    Bounds{".ssm.time_step_rank", 1, 1 << 20},
    Bounds{".ssm.group_count", 1, 0xffff},
    Bounds{".shortconv.l_cache", 2, 0xffff},
    Bounds{".kda.head_dim", 1, 0xffff},
    Bounds{".full_attention_interval", 1, 512},
    Bounds{".rope.dimension_count", 0, 0xffff},
    Bounds{".rope.dimension_count_swa", 0, 0xffff},
    Bounds{".expert_count", 0, 1024},
    Bounds{".expert_used_count", 0, 1024},
    Bounds{".experts_per_group", 1, 1024},
    Bounds{".conv_group_size", 1, 1 << 20},
    Bounds{".nextn_predict_layers", 0, 512},
    Bounds{".leading_dense_block_count", 0, 512},
    Bounds{".n_deepstack_layers", 0, 512},
    Bounds{".interleave_moe_layer_step", 0, 512},
    Bounds{".num_loops", 0, 512},
    Bounds{".hyper_connection.sinkhorn_iterations", 0, 512},
    Bounds{".hrm.h_cycles", 0, 512},
    Bounds{".hrm.l_cycles", 0, 512},
};

std::string number(int64_t value) { return std::to_string(value); }

}  // namespace

void GgufFile::Free::operator()(gguf_context * context) const { gguf_free(context); }

GgufFile::GgufFile(const std::string & path) : path_(path) {
    context_ = read(path);
    architecture_ = text("general.architecture").value_or("");
    if (architecture_.empty()) throw Error(ErrorCode::model_load_failed, "it names no architecture: is it a model?");
    read_other_parts();
}

GgufFile::Context GgufFile::read(const std::string & path) {
    const auto fail = [&](const std::string & why) {
        return Error(ErrorCode::model_load_failed, path == path_ ? why : path + ": " + why);
    };
    std::error_code failed;
    // A pipe or a device would be waited for, or read for ever.
    if (std::filesystem::exists(path, failed) && !std::filesystem::is_regular_file(path, failed)) {
        throw fail("not a regular file");
    }
    std::ifstream stream(path, std::ios::binary);
    if (!stream) throw fail("no such file, or not readable");
    struct {
        char magic[4];
        uint32_t version;
        uint64_t tensors;
        uint64_t entries;
    } header{};
    static_assert(sizeof header == 24);
    stream.read(reinterpret_cast<char *>(&header), sizeof header);
    if (std::string_view(header.magic, 4) != "GGUF") throw fail("not a GGUF file");
    if (!stream) throw fail("truncated in its header");
    if (header.tensors > most_names || header.entries > most_names) {
        throw fail("its header speaks of " + std::to_string(header.tensors) + " tensors and " +
                   std::to_string(header.entries) + " entries: damaged, or no model");
    }
    stream.close();

    const CatchAssertions catching;
    const LogErrors log;
    Context context(gguf_init_from_file(path.c_str(), {true, nullptr}));
    if (!context) throw fail("not a whole GGUF file: " + log.first());
    const uint64_t file_bytes = std::filesystem::file_size(path, failed);
    bytes_ += file_bytes;
    check_tensors(context.get(), file_bytes);
    return context;
}

// As llama.cpp finds them, which takes for granted that each says which part it is.
void GgufFile::read_other_parts() {
    const int64_t key = find("split.count");
    if (key < 0 || gguf_get_kv_type(context_.get(), key) != GGUF_TYPE_UINT16) return;
    const int parts = gguf_get_val_u16(context_.get(), key);
    if (parts > most_parts) throw Error(ErrorCode::model_load_failed, "a model in " + number(parts) + " parts");
    std::array<char, 4096> prefix{}, part{};
    if (parts < 2 || llama_split_prefix(prefix.data(), prefix.size(), path_.c_str(), 0, parts) <= 0) return;
    for (int i = 1; i < parts; ++i) {
        if (llama_split_path(part.data(), part.size(), prefix.data(), i, parts) <= 0) return;
        const Context other = read(part.data());
        const int64_t index = gguf_find_key(other.get(), "split.no");
        if (index < 0 || gguf_get_kv_type(other.get(), index) != GGUF_TYPE_UINT16) {
            throw Error(ErrorCode::model_load_failed, std::string(part.data()) + ": does not say which part it is");
        }
    }
}

void GgufFile::check_tensors(const gguf_context * context, uint64_t file_bytes) {
    const uint64_t data = gguf_get_data_offset(context);
    for (int64_t i = 0; i < gguf_get_n_tensors(context); ++i) {
        const std::string name = gguf_get_tensor_name(context, i);
        const auto fail = [&](const std::string & why) {
            return Error(ErrorCode::model_load_failed, "the tensor " + name + " " + why);
        };
        const int64_t * dimensions = gguf_get_tensor_ne(context, i);
        int64_t elements = 1;
        for (int d = 0; d < GGML_MAX_DIMS; ++d) {
            // Without elements, ggml divides by zero.
            if (dimensions[d] <= 0) throw fail("is empty");
            elements *= dimensions[d];  // gguf.cpp has seen to it that this fits
            widest_ = std::max(widest_, dimensions[d]);
        }
        std::copy_n(dimensions, GGML_MAX_DIMS, tensors_[name].begin());
        const uint64_t offset = gguf_get_tensor_offset(context, i), bytes = gguf_get_tensor_size(context, i);
        if (data > file_bytes || offset > file_bytes - data || bytes > file_bytes - data - offset) {
            throw fail("ends behind the end of the file: truncated");
        }
        // Types of intermediate results and of whole numbers: ggml calls the product that they lack.
        const ggml_type kind = gguf_get_tensor_type(context, i);
        if (ggml_get_type_traits_cpu(kind)->vec_dot == nullptr) {
            throw fail(std::string("is of type ") + ggml_type_name(kind) + ", which is none for weights");
        }
        WeightType & type = weights_[ggml_type_name(kind)];
        ++type.tensors;
        type.elements += elements;
        type.bytes += bytes;
    }
}

void GgufFile::check(MemoryKind memory) const {
    check_hyperparameters(memory);
    check_vocabulary();
}

void GgufFile::check_hyperparameters(MemoryKind memory) const {
    const auto fail = [&](const std::string & key, const std::string & why) {
        return Error(ErrorCode::model_load_failed, architecture_ + key + " is " + why);
    };
    const bool attends = memory != MemoryKind::states;
    // Which numbers of a list some layers may have none of, also the first.
    const auto may_be_none = [&](std::string_view key) {
        if (key == ".attention.head_count_kv") return memory != MemoryKind::cells;
        return !attends && key.starts_with(".attention.");
    };
    // Without, llama.cpp takes it for 0.
    if (attends && list(".attention.head_count").empty()) throw fail(".attention.head_count", "missing");
    for (const auto & [key, least, most] : bounds) {
        const std::vector<int64_t> values = list(key);
        for (size_t i = 0; i < values.size(); ++i) {
            // Where layers differ, some may have none; what divides is the first one's.
            const bool divides = i == 0 && !may_be_none(key);
            const int64_t allowed = divides ? least : 0;
            if (values[i] < allowed || values[i] > most) {
                throw fail(key, number(values[i]) + ", not within " + number(allowed) + " and " + number(most));
            }
        }
    }
    for (const std::string & key : keys()) {
        if (!key.starts_with(architecture_ + ".")) continue;
        const std::string rest = key.substr(architecture_.size());
        const std::optional<double> value = real(key);
        if (value && !std::isfinite(*value)) throw fail(rest, "no finite number");
        if (value && key.ends_with("epsilon") && *value < 0) throw fail(rest, "negative");
    }
}

void GgufFile::check_vocabulary() const {
    const std::string key = "tokenizer.ggml.tokens";
    const int64_t i = find(key);
    if (i < 0 || !text_at(key, 0)) return;
    for (size_t token = 0; token < gguf_get_arr_n(context_.get(), i); ++token) {
        if (std::strlen(gguf_get_arr_str(context_.get(), i, token)) <= longest_token) continue;
        throw Error(ErrorCode::model_load_failed, "its token " + std::to_string(token) + " is longer than " +
                                                      std::to_string(longest_token) + " bytes");
    }
}

int64_t GgufFile::find(const std::string & key) const {
    return gguf_find_key(context_.get(), (key.starts_with('.') ? architecture_ + key : key).c_str());
}

namespace {

std::optional<int64_t> whole_at(gguf_type type, const void * data, size_t index) {
    const auto value = [&]<typename T>(T) {
        T number;
        std::memcpy(&number, static_cast<const char *>(data) + index * sizeof number, sizeof number);
        return static_cast<int64_t>(number);
    };
    switch (type) {
        case GGUF_TYPE_UINT8: return value(uint8_t{});
        case GGUF_TYPE_INT8: return value(int8_t{});
        case GGUF_TYPE_UINT16: return value(uint16_t{});
        case GGUF_TYPE_INT16: return value(int16_t{});
        case GGUF_TYPE_UINT32: return value(uint32_t{});
        case GGUF_TYPE_INT32: return value(int32_t{});
        case GGUF_TYPE_INT64: return value(int64_t{});
        case GGUF_TYPE_UINT64: {
            const int64_t number = value(uint64_t{});
            return number < 0 ? std::numeric_limits<int64_t>::max() : number;
        }
        default: return std::nullopt;
    }
}

}  // namespace

std::optional<std::string> GgufFile::text(const std::string & key) const {
    const int64_t i = find(key);
    if (i < 0 || gguf_get_kv_type(context_.get(), i) != GGUF_TYPE_STRING) return std::nullopt;
    return gguf_get_val_str(context_.get(), i);
}

std::optional<int64_t> GgufFile::whole(const std::string & key) const {
    const int64_t i = find(key);
    if (i < 0) return std::nullopt;
    const gguf_type type = gguf_get_kv_type(context_.get(), i);
    if (type == GGUF_TYPE_ARRAY || type == GGUF_TYPE_STRING) return std::nullopt;
    return whole_at(type, gguf_get_val_data(context_.get(), i), 0);
}

std::optional<double> GgufFile::real(const std::string & key) const {
    const int64_t i = find(key);
    if (i < 0) return std::nullopt;
    switch (gguf_get_kv_type(context_.get(), i)) {
        case GGUF_TYPE_FLOAT32: return gguf_get_val_f32(context_.get(), i);
        case GGUF_TYPE_FLOAT64: return gguf_get_val_f64(context_.get(), i);
        default: return std::nullopt;
    }
}

std::optional<bool> GgufFile::flag(const std::string & key) const {
    const int64_t i = find(key);
    if (i < 0 || gguf_get_kv_type(context_.get(), i) != GGUF_TYPE_BOOL) return std::nullopt;
    return gguf_get_val_bool(context_.get(), i);
}

std::vector<int64_t> GgufFile::list(const std::string & key) const {
    std::vector<int64_t> values;
    if (const std::optional<int64_t> one = whole(key)) return {*one};
    const int64_t i = find(key);
    if (i < 0 || gguf_get_kv_type(context_.get(), i) != GGUF_TYPE_ARRAY) return values;
    const gguf_type type = gguf_get_arr_type(context_.get(), i);
    if (type == GGUF_TYPE_STRING) return values;
    for (size_t n = 0; n < gguf_get_arr_n(context_.get(), i); ++n) {
        const std::optional<int64_t> value = whole_at(type, gguf_get_arr_data(context_.get(), i), n);
        if (!value) return {};
        values.push_back(*value);
    }
    return values;
}

std::optional<int64_t> GgufFile::length(const std::string & key) const {
    const int64_t i = find(key);
    if (i < 0 || gguf_get_kv_type(context_.get(), i) != GGUF_TYPE_ARRAY) return std::nullopt;
    return static_cast<int64_t>(gguf_get_arr_n(context_.get(), i));
}

std::optional<std::string> GgufFile::text_at(const std::string & key, int64_t index) const {
    const int64_t i = find(key);
    if (index < 0 || index >= length(key).value_or(0)) return std::nullopt;
    if (gguf_get_arr_type(context_.get(), i) != GGUF_TYPE_STRING) return std::nullopt;
    return gguf_get_arr_str(context_.get(), i, static_cast<size_t>(index));
}

std::vector<std::string> GgufFile::keys() const {
    std::vector<std::string> keys;
    for (int64_t i = 0; i < gguf_get_n_kv(context_.get()); ++i) keys.emplace_back(gguf_get_key(context_.get(), i));
    return keys;
}

}  // namespace thinktree
