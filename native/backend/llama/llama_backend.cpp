#include "backend/llama/llama_backend.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <thread>

#include "backend/llama/adapters.h"
#include "backend/llama/assertions.h"
#include "backend/llama/context_params.h"
#include "backend/llama/device_rows.h"
#include "backend/llama/gguf_file.h"
#include "backend/llama/handles.h"
#include "backend/llama/host_rows.h"
#include "backend/llama/loading.h"
#include "backend/llama/logging.h"
#include "backend/llama/threadpools.h"
#include "backend/llama/tokenizer.h"
#include "backend/llama/trial.h"
#include "base/error.h"
#include "llama.h"
#include "tree/seq_set.h"

namespace thinktree {

namespace {

// Rows of one decode up to which they cost no more each than fewer would. llama.cpp's own attention goes another way
// for 64 rows than for 63.
constexpr int32_t stock_tree_rows = 63;

// Below this a graph node is less work than the barrier after it, and ggml's barriers spin: on a busy machine two
// threads were ten times slower than one.
constexpr uint64_t params_worth_sharing = 30'000'000;

// What all models of one file have in common.
struct SharedWeights {
    SharedWeights(ModelPtr opened, int64_t widest)
        : model(std::move(opened)),
          vocab(llama_model_get_vocab(model.get())),
          tokenizer(vocab),
          n_params(llama_model_n_params(model.get())),
          widest(widest) {
        const CatchAssertions catching;
        const int32_t n = llama_vocab_n_tokens(vocab);
        pieces.reserve(static_cast<size_t>(n));
        for (llama_token token = 0; token < n; ++token) pieces.push_back(read_piece(token));
    }

    const ModelPtr model;
    const llama_vocab * const vocab;
    const Tokenizer tokenizer;
    const uint64_t n_params;
    const int64_t widest;
    std::vector<std::string> pieces;

private:
    // The bytes of a token as a reader sees them: control tokens have none.
    std::string read_piece(llama_token token) const {
        std::string text(32, '\0');
        int32_t n = llama_token_to_piece(vocab, token, text.data(), static_cast<int32_t>(text.size()), 0, false);
        if (n < 0) {
            text.resize(static_cast<size_t>(-n));
            n = llama_token_to_piece(vocab, token, text.data(), -n, 0, false);
        }
        text.resize(static_cast<size_t>(std::max(n, 0)));
        return text;
    }
};

class LlamaContext final : public Context {
public:
    LlamaContext(std::shared_ptr<const SharedWeights> weights, const Adapters & adapters, const Trial & trial,
                 Threadpools & pools, const ContextOptions & options, std::function<bool()> should_abort)
        : weights_(std::move(weights)), should_abort_(std::move(should_abort)), rewards_(options.rewards) {
        llama_model * const model = weights_->model.get();
        const CatchAssertions catching;
        const LogErrors log;
        const int32_t threads =
            std::clamp(options.threads == 0 ? usual_threads() : options.threads, 1, GGML_MAX_N_THREADS);
        llama_context_params params = context_params(model, options);
        params.n_threads = threads;
        params.n_threads_batch = threads;
        params.abort_callback = [](void * self) { return static_cast<LlamaContext *>(self)->should_abort_(); };
        params.abort_callback_data = this;
        const bool plans =
            !options.stock_kernels && trial.reads_plans && (!trial.on_gpus || gpus_read_plans(model, params));
        context_ = open_context(model, params, plans);
        if (!context_) {
            throw Error(ErrorCode::model_load_failed,
                        "no context for this model: " + log.first() + " (fewer kvCells may help)");
        }

        adapters.apply_to(context_.get());

        // Without a pool of our own, ggml would start and end threads at every decode.
        threadpool_ = pools.of(threads);
        llama_attach_threadpool(context_.get(), threadpool_.get(), threadpool_.get());
        const auto n_vocab = static_cast<int32_t>(weights_->pieces.size());
        const int32_t width = rewards_ ? llama_model_n_embd_out(model) : 0;
        host_rows_.emplace(context_.get(), threadpool_.get(), threads, static_cast<size_t>(n_vocab),
                           static_cast<size_t>(width));
        rows_ = &*host_rows_;
        // A reward is read from hidden states, which come to the host.
        if (trial.on_gpus && !options.stock_kernels && !rewards_) device_rows_ = make_device_rows(n_vocab);

        limits_.batch = static_cast<int32_t>(params.n_batch);
        limits_.outputs = static_cast<int32_t>(params.n_outputs_max);
        limits_.sequences = static_cast<int32_t>(params.n_seq_max);
        limits_.cells = static_cast<int32_t>(llama_n_ctx(context_.get()));
        limits_.positions = std::min(limits_.cells, llama_model_n_ctx_train(model));
        limits_.forks_at_ends = has_states(model);
        limits_.tree_attention = plans;
        limits_.tree_rows = plans || trial.on_gpus ? SeqSet::capacity : stock_tree_rows;
        if (llama_model_is_recurrent(model)) {
            // A state takes no cell, however much it reads, and there is no attention.
            limits_.cells = limits_.sequences * limits_.positions;
            limits_.tree_rows = SeqSet::capacity;
        }
    }

    const ContextLimits & limits() const override { return limits_; }

    DecodeStatus decode(std::span<const BatchRow> rows, std::span<const Ask> asks) override {
        const DecodeStatus status = run(rows);
        return status == DecodeStatus::ok && !rows_->read(asks) ? DecodeStatus::failed : status;
    }

    std::span<const Answer> answers() const override { return rows_->answers(); }
    bool reads_on_device() const override { return rows_ != nullptr && rows_ == device_rows_.get(); }

    // An unpatched llama.cpp takes every row for an output while this is on, and aborts if that is more than
    // n_outputs_max.
    DecodeStatus decode_hidden(std::span<const BatchRow> rows) override {
        if (rows.size() > static_cast<size_t>(limits_.outputs)) return DecodeStatus::failed;
        llama_set_embeddings(context_.get(), true);
        const DecodeStatus status = run(rows);
        llama_set_embeddings(context_.get(), rewards_);
        llama_synchronize(context_.get());
        return status;
    }

    const float * hidden(int32_t index) override {
        return llama_get_embeddings_ith(context_.get(), output_rows_.at(static_cast<size_t>(index)));
    }

    const float * logits(int32_t index) override { return rows_->row(index); }

    void seq_copy(SeqId from, SeqId to, Pos begin, Pos end) override {
        llama_memory_seq_cp(llama_get_memory(context_.get()), from, to, begin, end);
    }

    void seq_remove(SeqId seq, Pos begin) override {
        llama_memory_seq_rm(llama_get_memory(context_.get()), seq, begin, -1);
    }

private:
    int32_t usual_threads() const {
        if (weights_->n_params < params_worth_sharing) return 1;
        return static_cast<int32_t>(std::max(1u, std::thread::hardware_concurrency()));
    }

    DecodeStatus run(std::span<const BatchRow> rows) {
        const size_t n = rows.size();
        tokens_.resize(n);
        positions_.resize(n);
        counts_.assign(n, 1);
        seqs_.resize(n);
        seq_pointers_.resize(n);
        outputs_.resize(n);
        output_rows_.clear();
        order_.resize(n);
        std::iota(order_.begin(), order_.end(), size_t{0});
        // States are computed together only where their sequences' ids follow each other.
        if (limits_.forks_at_ends) {
            std::stable_sort(order_.begin(), order_.end(),
                             [&](size_t a, size_t b) { return rows[a].seq < rows[b].seq; });
        }
        places_.resize(n);
        for (size_t i = 0; i < n; ++i) {
            const BatchRow & row = rows[order_[i]];
            tokens_[i] = row.token;
            positions_[i] = row.pos;
            seqs_[i] = row.seq;
            seq_pointers_[i] = &seqs_[i];
            outputs_[i] = row.output;
            places_[order_[i]] = static_cast<int32_t>(i);
        }
        for (size_t i = 0; i < n; ++i) {
            if (rows[i].output) output_rows_.push_back(places_[i]);
        }
        const llama_batch batch{static_cast<int32_t>(n), tokens_.data(),       nullptr,        positions_.data(),
                                counts_.data(),          seq_pointers_.data(), outputs_.data()};
        try {
            switch (decode_offering(batch)) {
                case 0: host_rows_->begin(output_rows_); return DecodeStatus::ok;
                case 1: return DecodeStatus::no_slot;
                case 2: return DecodeStatus::aborted;
                default: return DecodeStatus::failed;
            }
        } catch (const std::exception &) {
            return DecodeStatus::failed;  // llama.cpp lets exceptions of its backends through
        }
    }

    // Sets rows_ to where the logits are.
    int32_t decode_offering(const llama_batch & batch) {
        rows_ = &*host_rows_;
        if (device_rows_ == nullptr) return llama_decode(context_.get(), batch);
        device_rows_->begin();
        const struct Offer {
            explicit Offer(TakesLogits * to) { takes_logits = to; }
            ~Offer() { takes_logits = nullptr; }
        } offer(device_rows_.get());
        const int32_t status = llama_decode(context_.get(), batch);
        if (device_rows_->taken()) rows_ = device_rows_.get();
        return status;
    }

    std::shared_ptr<const SharedWeights> weights_;
    std::function<bool()> should_abort_;
    const bool rewards_;
    SharedThreadpool threadpool_;  // outlives the context that uses it
    ContextPtr context_;
    std::optional<HostRows> host_rows_;
    std::unique_ptr<DeviceRows> device_rows_;  // null: logits are read in the host's memory
    OutputRows * rows_ = nullptr;              // of the last decode: either of these
    ContextLimits limits_{};
    std::vector<llama_token> tokens_;
    std::vector<llama_pos> positions_;
    std::vector<int32_t> counts_;
    std::vector<llama_seq_id> seqs_;
    std::vector<llama_seq_id *> seq_pointers_;
    std::vector<int8_t> outputs_;
    std::vector<size_t> order_;
    std::vector<int32_t> places_;  // of the rows that were given, among those that are decoded
    std::vector<int32_t> output_rows_;
};

class LlamaModel final : public Model {
public:
    LlamaModel(std::shared_ptr<const SharedWeights> weights, Adapters adapters, const Trial & trial,
               std::shared_ptr<Threadpools> pools, uint64_t loaded_bytes)
        : weights_(std::move(weights)),
          adapters_(std::move(adapters)),
          trial_(trial),
          pools_(std::move(pools)),
          loaded_bytes_(loaded_bytes) {}

    int32_t n_vocab() const override { return static_cast<int32_t>(weights_->pieces.size()); }
    int32_t width() const override { return llama_model_n_embd_out(weights_->model.get()); }
    uint64_t n_params() const override { return weights_->n_params + adapters_.n_params(); }
    uint64_t loaded_bytes() const override { return loaded_bytes_; }

    int64_t cell_bytes(CacheType cache) const override { return kv_bytes(cache) + trial_.cache.state / cells_of_state; }
    const std::string & piece(Token token) const override { return weights_->pieces.at(static_cast<size_t>(token)); }
    bool is_end(Token token) const override { return llama_vocab_is_eog(weights_->vocab, token); }

    std::vector<Token> tokenize(const Text & text, bool begins) const override {
        return weights_->tokenizer.tokens(text, begins);
    }

    std::optional<std::string> metadata(const std::string & key) const override {
        const llama_model * const model = weights_->model.get();
        std::string value(256, '\0');
        int32_t n = llama_model_meta_val_str(model, key.c_str(), value.data(), value.size());
        if (n < 0) return std::nullopt;
        if (static_cast<size_t>(n) >= value.size()) {
            value.resize(static_cast<size_t>(n) + 1);
            n = llama_model_meta_val_str(model, key.c_str(), value.data(), value.size());
        }
        value.resize(static_cast<size_t>(n));
        return value;
    }

    std::unique_ptr<Context> make_context(const ContextOptions & options,
                                          std::function<bool()> should_abort) const override {
        const double rows = std::max(options.batch, SeqSet::capacity);
        const double states = sequences_of(weights_->model.get(), options.cells);
        assert_fits(static_cast<double>(options.cells) * static_cast<double>(kv_bytes(options.cache)) +
                        states * static_cast<double>(trial_.cache.state) +
                        rows * sizeof(float) * static_cast<double>(weights_->widest),
                    "a KV cache of " + std::to_string(options.cells) + " cells");
        return std::make_unique<LlamaContext>(weights_, adapters_, trial_, *pools_, options, std::move(should_abort));
    }

private:
    int64_t kv_bytes(CacheType cache) const {
        return cache == CacheType::q8_0 ? trial_.cache.cell * 17 / 32 : trial_.cache.cell;
    }

    std::shared_ptr<const SharedWeights> weights_;
    Adapters adapters_;
    Trial trial_;
    std::shared_ptr<Threadpools> pools_;
    uint64_t loaded_bytes_;
};

bool uses_gpus(const ModelFile & file) { return file.gpu_layers != 0 && llama_supports_gpu_offload(); }

// What a file says of itself may be long.
Error refusal(const ModelFile & file, ErrorCode code, const std::string & why) {
    return {code, "cannot load the model " + file.path + ": " + why.substr(0, 400)};
}

}  // namespace

struct LlamaModels::Opened {
    explicit Opened(const ModelFile & file)
        : gguf(file.path),
          weights(std::make_shared<SharedWeights>(open_model(file.path, gguf, file.gpu_layers, Weights::loaded),
                                                  gguf.widest())),
          trial(try_model(weights->model.get(), uses_gpus(file), {})) {}

    const GgufFile gguf;
    const std::shared_ptr<const SharedWeights> weights;
    const Trial trial;  // without adapters
};

LlamaModels::LlamaModels() : pools_(std::make_shared<Threadpools>()) {}
LlamaModels::~LlamaModels() = default;

std::shared_ptr<const Model> LlamaModels::load(const ModelFile & file) {
    prepare_llama();
    std::error_code unresolved;
    const std::filesystem::path real = std::filesystem::canonical(file.path, unresolved);
    const std::pair name{unresolved ? file.path : real.string(), std::max(file.gpu_layers, -1)};
    try {
        auto found = opened_.find(name);
        const bool is_first = found == opened_.end();
        if (is_first) found = opened_.emplace(name, std::make_unique<Opened>(file)).first;
        const Opened & opened = *found->second;
        llama_model * const model = opened.weights->model.get();

        Adapters adapters(model, opened.gguf, file.adapters);
        const Trial trial = adapters.change_anything() ? try_model(model, uses_gpus(file), adapters) : opened.trial;
        const uint64_t bytes = adapters.bytes() + (is_first ? llama_model_size(model) : 0);
        return std::make_shared<LlamaModel>(opened.weights, std::move(adapters), trial, pools_, bytes);
    } catch (const Error & error) {
        throw refusal(file, error.code, error.what());
    } catch (const std::exception & error) {
        throw refusal(file, ErrorCode::model_load_failed, error.what());
    }
}

}  // namespace thinktree
