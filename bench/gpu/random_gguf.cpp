// Owns: GGUF files of real shapes with random weights, made on the spot: the speed of a model does not depend on them.
// Must not know: who measures what. Thread: one.
//
//   random_gguf SHAPE TYPE FILE        SHAPE: 0.5b, 1.5b, 7b (Qwen2.5's), tiny; TYPE: q8_0, q4_k
//
// There is no tokenizer in it. As llama.cpp's quantiser does, a q4_k file has q6_k for the output, and other types
// where rows are no whole number of 256 weights.
#include <cmath>
#include <cstdio>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "ggml.h"
#include "gguf.h"

namespace {

struct Shape {
    int64_t width, layers, heads, kv_heads, feed_forward, vocabulary;
    bool tied;  // the output is the embedding matrix
};

const std::map<std::string, Shape> shapes{
    {"0.5b", {896, 24, 14, 2, 4864, 151936, true}},
    {"1.5b", {1536, 28, 12, 2, 8960, 151936, true}},
    {"7b", {3584, 28, 28, 4, 18944, 152064, false}},
    {"tiny", {256, 2, 4, 2, 512, 1024, true}},  // for a try without a card
};

ggml_type type_of(const std::string & type, int64_t columns, bool output) {
    if (type == "q8_0") return GGML_TYPE_Q8_0;
    if (type != "q4_k") throw std::runtime_error("the type is q8_0 or q4_k, not " + type);
    const bool whole = columns % ggml_blck_size(GGML_TYPE_Q4_K) == 0;
    if (output) return whole ? GGML_TYPE_Q6_K : GGML_TYPE_Q8_0;
    return whole ? GGML_TYPE_Q4_K : GGML_TYPE_Q5_0;
}

class Writer {
public:
    Writer(const Shape & shape, const std::string & type) : shape_(shape), type_(type), file_(gguf_init_empty()) {
        context_ = ggml_init({ggml_tensor_overhead() * 1024, nullptr, true});
        describe();
        add_tensors();
        // A step looks an embedding up, and reads all else.
        gguf_set_val_u64(file_, "random.bytes_of_step", bytes_of_step_);
        gguf_set_val_u64(file_, "random.weights_of_step", weights_of_step_);
    }
    Writer(const Writer &) = delete;
    ~Writer() {
        gguf_free(file_);
        ggml_free(context_);
    }

    void write(const std::string & path) {
        if (!gguf_write_to_file(file_, path.c_str(), true)) throw std::runtime_error("cannot write " + path);
        std::FILE * out = std::fopen(path.c_str(), "ab");
        for (ggml_tensor * t = ggml_get_first_tensor(context_); t; t = ggml_get_next_tensor(context_, t)) {
            const std::vector<uint8_t> data = rows_of(t);
            const size_t bytes = ggml_nbytes(t), padding = GGML_PAD(bytes, gguf_get_alignment(file_)) - bytes;
            bool ok = true;
            for (size_t done = 0; done < bytes && ok; done += data.size()) {
                const size_t n = std::min(data.size(), bytes - done);
                ok = std::fwrite(data.data(), 1, n, out) == n;
            }
            const std::vector<uint8_t> zeros(padding);
            if (!ok || std::fwrite(zeros.data(), 1, padding, out) != padding)
                throw std::runtime_error("the disk is full");
        }
        std::fclose(out);
    }

private:
    void describe() {
        const auto number = [&](const char * key, int64_t value) {
            gguf_set_val_u32(file_, (std::string("qwen2.") + key).c_str(), static_cast<uint32_t>(value));
        };
        gguf_set_val_str(file_, "general.architecture", "qwen2");
        gguf_set_val_str(file_, "general.name", "random weights");
        name_tokens();
        number("vocab_size", shape_.vocabulary);
        number("context_length", 1 << 20);
        number("embedding_length", shape_.width);
        number("block_count", shape_.layers);
        number("feed_forward_length", shape_.feed_forward);
        number("attention.head_count", shape_.heads);
        number("attention.head_count_kv", shape_.kv_heads);
        gguf_set_val_f32(file_, "qwen2.attention.layer_norm_rms_epsilon", 1e-6f);
        gguf_set_val_f32(file_, "qwen2.rope.freq_base", 1e6f);
    }

    // A vocabulary of the simplest kind: the engine's backend refuses a model without.
    void name_tokens() {
        std::vector<std::string> names;
        for (int64_t i = 0; i < shape_.vocabulary; ++i) names.push_back("t" + std::to_string(i));
        std::vector<const char *> pointers;
        for (const std::string & name : names) pointers.push_back(name.c_str());
        gguf_set_val_str(file_, "tokenizer.ggml.model", "rwkv");
        gguf_set_arr_str(file_, "tokenizer.ggml.tokens", pointers.data(), pointers.size());
    }

    void add_tensors() {
        const int64_t kv_width = shape_.width / shape_.heads * shape_.kv_heads;
        matrix("token_embd", shape_.width, shape_.vocabulary, shape_.tied);
        for (int64_t layer = 0; layer < shape_.layers; ++layer) {
            const std::string name = "blk." + std::to_string(layer) + ".";
            vector(name + "attn_norm.weight", shape_.width);
            for (const auto & [part, rows] : {std::pair("q", shape_.width), {"k", kv_width}, {"v", kv_width}}) {
                matrix(name + "attn_" + part, shape_.width, rows);
                vector(name + "attn_" + part + ".bias", rows);
            }
            matrix(name + "attn_output", shape_.width, shape_.width);
            vector(name + "ffn_norm.weight", shape_.width);
            matrix(name + "ffn_gate", shape_.width, shape_.feed_forward);
            matrix(name + "ffn_up", shape_.width, shape_.feed_forward);
            matrix(name + "ffn_down", shape_.feed_forward, shape_.width);
        }
        vector("output_norm.weight", shape_.width);
        if (!shape_.tied) matrix("output", shape_.width, shape_.vocabulary, true);
    }

    void matrix(const std::string & name, int64_t columns, int64_t rows, bool output = false) {
        add(name + ".weight", ggml_new_tensor_2d(context_, type_of(type_, columns, output), columns, rows));
    }
    void vector(const std::string & name, int64_t size) {
        add(name, ggml_new_tensor_1d(context_, GGML_TYPE_F32, size));
    }
    void add(const std::string & name, ggml_tensor * tensor) {
        ggml_set_name(tensor, name.c_str());
        gguf_add_tensor(file_, tensor);
        if (!shape_.tied && name == "token_embd.weight") return;
        bytes_of_step_ += ggml_nbytes(tensor);
        weights_of_step_ += static_cast<uint64_t>(ggml_nelements(tensor));
    }

    // 64 rows, which are repeated. Inputs are normalised: at this spread, so are outputs.
    static std::vector<uint8_t> rows_of(const ggml_tensor * tensor) {
        constexpr int64_t most_rows = 64;
        const int64_t columns = tensor->ne[0], rows = std::min(most_rows, tensor->ne[1]);
        std::vector<float> values(static_cast<size_t>(columns * rows), 1.0f);
        if (tensor->ne[1] > 1) {
            std::mt19937 random(static_cast<uint32_t>(columns));
            std::normal_distribution<float> normal(0.0f, 1.0f / std::sqrt(static_cast<float>(columns)));
            for (float & x : values) x = normal(random);
        }
        std::vector<uint8_t> data(ggml_row_size(tensor->type, columns) * static_cast<size_t>(rows));
        if (tensor->type == GGML_TYPE_F32) {
            const auto * bytes = reinterpret_cast<const uint8_t *>(values.data());
            data.assign(bytes, bytes + data.size());
        } else {
            ggml_quantize_chunk(tensor->type, values.data(), data.data(), 0, rows, columns, nullptr);
        }
        return data;
    }

    Shape shape_;
    std::string type_;
    gguf_context * file_;
    ggml_context * context_;
    uint64_t bytes_of_step_ = 0, weights_of_step_ = 0;
};

}  // namespace

int main(int argc, char ** argv) {
    if (argc != 4 || shapes.count(argv[1]) == 0) {
        std::fprintf(stderr, "random_gguf 0.5b|1.5b|7b|tiny q8_0|q4_k FILE\n");
        return 2;
    }
    try {
        Writer(shapes.at(argv[1]), argv[2]).write(argv[3]);
    } catch (const std::exception & error) {
        std::fprintf(stderr, "random_gguf: %s\n", error.what());
        return 1;
    }
}
