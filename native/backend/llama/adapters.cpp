#include "backend/llama/adapters.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <set>

#include "backend/llama/architecture.h"
#include "backend/llama/assertions.h"
#include "backend/llama/logging.h"
#include "base/error.h"
#include "ggml.h"
#include "llama.h"
// Not public, and so as it is in the pinned release.
#include "llama-ext.h"

namespace thinktree {

namespace {

const std::string suffix_a = ".lora_a", suffix_b = ".lora_b";

Error refused(const std::string & why) { return {ErrorCode::model_load_failed, why}; }

std::string dimensions(const TensorShape & shape) {
    size_t last = shape.size() - 1;
    while (last > 1 && shape[last] == 1) --last;
    std::string text = std::to_string(shape[0]);
    for (size_t d = 1; d <= last; ++d) text += " x " + std::to_string(shape[d]);
    return text;
}

// llama.cpp holds less against each other: it would read the weights of experts that an adapter has not.
void assert_fits(const std::string & name, const Lora::Pair & pair, const TensorShape & weights) {
    const auto [inputs, outputs, experts, none] = weights;
    // A token's row of A is looked up, so that embeddings have it the other way round.
    const bool embedding = name.ends_with("token_embd.weight");
    const TensorShape a =
        embedding ? TensorShape{pair.rank(), outputs, experts, none} : TensorShape{inputs, pair.rank(), experts, none};
    const TensorShape b{pair.rank(), embedding ? inputs : outputs, experts, none};
    if (pair.a == a && pair.b == b) return;
    throw refused("it was made for another model: " + name + " is " + dimensions(weights) + " here, its A is " +
                  dimensions(pair.a) + " and its B " + dimensions(pair.b));
}

}  // namespace

Lora read_lora(const GgufFile & file) {
    const auto text = [&](const std::string & key) { return file.text(key).value_or(""); };
    if (!is_adapter(file)) throw refused("it is no adapter: its general.type is not \"adapter\"");
    if (const std::string type = text("adapter.type"); type != "lora") {
        throw Error(ErrorCode::unsupported_model, "an adapter of type \"" + type + "\": only \"lora\" is known");
    }
    if (file.length("adapter.alora.invocation_tokens")) {
        throw Error(ErrorCode::unsupported_model,
                    "an activated LoRA (aLoRA), which changes the weights only after certain tokens: branches that "
                    "have come to them could not share a decode with others");
    }
    Lora lora;
    if (const auto keys = file.keys(); std::find(keys.begin(), keys.end(), "adapter.lora.alpha") != keys.end()) {
        lora.alpha = file.real("adapter.lora.alpha").value_or(NAN);
    }
    if (!std::isfinite(lora.alpha)) throw refused("its adapter.lora.alpha is no number");
    for (const auto & [name, shape] : file.tensors()) {
        const bool is_a = name.ends_with(suffix_a);
        if (!is_a && !name.ends_with(suffix_b)) {
            throw Error(ErrorCode::unsupported_model,
                        "besides LoRA's pairs it holds " + name + ", which llama.cpp would leave out");
        }
        Lora::Pair & pair = lora.pairs[name.substr(0, name.size() - suffix_a.size())];
        (is_a ? pair.a : pair.b) = shape;
    }
    if (lora.pairs.empty()) throw refused("it holds no weights");
    for (const auto & [name, pair] : lora.pairs) {
        if (pair.a[0] == 0 || pair.b[0] == 0) throw refused("of " + name + " it has only one matrix of two");
    }
    return lora;
}

Adapters::Adapters(llama_model * model, const GgufFile & base, const std::vector<AdapterFile> & files) {
    for (const AdapterFile & file : files) {
        const auto fail = [&](ErrorCode code, const std::string & why) {
            return Error(code, "cannot load the adapter " + file.path + ": " + why.substr(0, 400));
        };
        try {
            loaded_.push_back(load(model, base, file));
        } catch (const Error & error) {
            throw fail(error.code, error.what());
        } catch (const std::exception & error) {
            throw fail(ErrorCode::model_load_failed, error.what());
        }
    }
}

Adapters::Loaded Adapters::load(llama_model * model, const GgufFile & base, const AdapterFile & file) {
    const GgufFile gguf(file.path);
    const Lora lora = read_lora(gguf);
    if (gguf.architecture() != base.architecture()) {
        throw refused("it was made for another model: one of architecture " + gguf.architecture() + ", not " +
                      base.architecture());
    }
    Loaded loaded{file, nullptr, {}, 0, 0};
    for (const auto & [name, pair] : lora.pairs) {
        const auto weights = base.tensors().find(name);
        if (weights == base.tensors().end()) {
            throw refused("it was made for another model: there is no " + name + " here");
        }
        assert_fits(name, pair, weights->second);
        loaded.tensors.insert(loaded.tensors.end(), {name + suffix_a, name + suffix_b});
    }
    for (const auto & [name, type] : gguf.weights()) {
        loaded.n_params += static_cast<uint64_t>(type.elements);
        loaded.bytes += type.bytes;
    }
    const CatchAssertions catching;
    const LogErrors log;
    loaded.adapter = llama_adapter_lora_init(model, file.path.c_str());
    if (loaded.adapter == nullptr) throw refused("llama.cpp refused it: " + log.first());
    return loaded;
}

bool Adapters::change_anything() const {
    return std::any_of(loaded_.begin(), loaded_.end(), [](const Loaded & one) { return one.changes_anything(); });
}

uint64_t Adapters::n_params() const {
    uint64_t n = 0;
    for (const Loaded & one : loaded_) n += one.changes_anything() ? one.n_params : 0;
    return n;
}

uint64_t Adapters::bytes() const {
    uint64_t n = 0;
    for (const Loaded & one : loaded_) n += one.bytes;
    return n;
}

std::string Adapters::in_words() const {
    std::string words;
    for (const Loaded & one : loaded_) words += (words.empty() ? " with " : " and ") + one.file.path;
    return words;
}

void Adapters::apply_to(llama_context * context) const {
    std::vector<llama_adapter_lora *> adapters;
    std::vector<float> scales;
    for (const Loaded & one : loaded_) {
        adapters.push_back(one.adapter);
        scales.push_back(one.file.scale);
    }
    llama_set_adapters_lora(context, adapters.data(), adapters.size(), scales.data());
}

void Adapters::assert_read(llama_context * context) const {
    if (!change_anything()) return;
    ggml_cgraph * graph = llama_graph_reserve(context, 1, 1, 1);
    std::set<const ggml_tensor *> sources;
    for (int i = 0; graph != nullptr && i < ggml_graph_n_nodes(graph); ++i) {
        const ggml_tensor * node = ggml_graph_node(graph, i);
        sources.insert(std::begin(node->src), std::end(node->src));
    }
    sources.erase(nullptr);
    // Two adapters' tensors may have the same name.
    std::multiset<std::string> read;
    for (const ggml_tensor * source : sources) read.insert(source->name);
    for (const Loaded & one : loaded_) {
        if (!one.changes_anything()) continue;
        for (const std::string & name : one.tensors) {
            const auto found = read.find(name);
            if (found == read.end()) {
                throw Error(ErrorCode::unsupported_model, "cannot load the adapter " + one.file.path +
                                                              ": llama.cpp would leave " + name +
                                                              " out: there is no LoRA on such weights");
            }
            read.erase(found);
        }
    }
}

}  // namespace thinktree
