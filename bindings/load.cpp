#include "load.h"

#include "base/error.h"
#include "fields.h"
#include "scheduler/kv_memory.h"

namespace thinktree {

namespace {

std::vector<AdapterFile> read_adapters(const Napi::Value & value) {
    std::vector<AdapterFile> adapters;
    if (!value.IsArray()) return adapters;
    const auto list = value.As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); ++i) {
        const auto adapter = list.Get(i).As<Napi::Object>();
        adapters.push_back({text(adapter, "path"), adapter.Get("scale").ToNumber().FloatValue()});
    }
    return adapters;
}

ModelOptions read_model(const Napi::Object & object) {
    ModelOptions model;
    if (const std::string path = text(object, "path"); !path.empty()) {
        model.file = ModelFile{path, integer(object, "gpuLayers", -1), read_adapters(object.Get("adapters"))};
        return model;
    }
    FakeOptions & fake = model.fake;
    fake.cells = integer(object, "cells", fake.cells);
    fake.batch = integer(object, "batch", fake.batch);
    fake.sequences = integer(object, "sequences", fake.sequences);
    fake.positions = integer(object, "positions", fake.positions);
    fake.vocab = integer(object, "vocab", fake.vocab);
    fake.decode_time = std::chrono::microseconds(integer(object, "decodeMicroseconds", 0));
    fake.fail_every = integer(object, "failEvery", 0);
    fake.throw_every = integer(object, "throwEvery", 0);
    fake.poison_token = integer(object, "poisonToken", -1);
    fake.nan_after_token = integer(object, "nanAfterToken", -1);
    fake.stray_every = integer(object, "strayEvery", 0);
    fake.crash_at_decode = integer(object, "crashAtDecode", 0);
    fake.hang_at_decode = integer(object, "hangAtDecode", 0);
    fake.crash_on_token = integer(object, "crashOnToken", -1);
    fake.fault_file = text(object, "faultFile");
    return model;
}

std::vector<std::shared_ptr<const Model>> make_models(const EngineOptions & options) {
    LlamaModels files;
    std::vector<std::shared_ptr<const Model>> models;
    const auto make = [&](const ModelOptions & model) {
        models.push_back(model.file ? files.load(*model.file) : make_fake_model(model.fake));
    };
    make(options.generator);
    if (options.verifier) make(*options.verifier);
    if (options.reference) make(*options.reference);
    if (options.draft) make(*options.draft);
    return models;
}

ModelInfo describe(const Lane & lane, int32_t cells) {
    ModelInfo info;
    info.parameters = static_cast<int64_t>(lane.model->n_params());
    info.vocabulary = lane.model->n_vocab();
    info.positions = lane.context->limits().positions;
    info.kv_cells = lane.context->limits().forks_at_ends ? cells : lane.context->limits().cells;
    info.width = lane.model->width();
    info.loaded_bytes = static_cast<int64_t>(lane.model->loaded_bytes());
    for (const char * key : {"prompt_template", "step_delimiter", "answer_prefix", "role", "verifier.aggregation",
                             "verifier.sees_attempts", "reviser.attempt_separator", "reviser.max_attempts"}) {
        if (auto value = lane.model->metadata(std::string("thinktree.") + key)) info.recipe.emplace_back(key, *value);
    }
    return info;
}

// Of each model's cache.
std::vector<int32_t> cells_of(const EngineOptions & options, const std::vector<std::shared_ptr<const Model>> & models) {
    if (options.kv_mib == 0) return std::vector<int32_t>(models.size(), options.context.cells);
    std::vector<CacheOwner> owners;
    for (const auto & model : models) {
        owners.push_back(
            {static_cast<double>(model->n_params()), static_cast<double>(model->cell_bytes(options.context.cache))});
    }
    return split_memory(options.kv_mib * double{1 << 20}, owners);
}

}  // namespace

EngineOptions read_options(const Napi::Object & object) {
    EngineOptions options;
    options.generator = read_model(object.Get("generator").As<Napi::Object>());
    if (const Napi::Value verifier = object.Get("verifier"); verifier.IsObject()) {
        options.on_generator = verifier.As<Napi::Object>().Get("onGenerator").ToBoolean();
        if (!options.on_generator) options.verifier = read_model(verifier.As<Napi::Object>());
        if (const Napi::Value reading = verifier.As<Napi::Object>().Get("reading"); reading.IsObject()) {
            options.reading = read_reading(reading.As<Napi::Object>());
            options.judges = text(reading.As<Napi::Object>(), "kind") == judge_reading;
        }
        if (const Napi::Value reference = verifier.As<Napi::Object>().Get("reference"); reference.IsObject()) {
            options.reference = read_model(reference.As<Napi::Object>());
        }
    }
    if (const Napi::Value draft = object.Get("draft"); draft.IsObject()) {
        const auto model = draft.As<Napi::Object>();
        const auto count = [&](const char * name, uint32_t otherwise) {
            return static_cast<uint32_t>(integer(model, name, static_cast<int32_t>(otherwise)));
        };
        options.draft = read_model(model);
        options.drafting.tokens = count("tokens", options.drafting.tokens);
        options.drafting.branches = count("branches", options.drafting.branches);
    }
    options.context.cells = integer(object, "kvCells", options.context.cells);
    options.context.cache = text(object, "kvType") == "q8_0" ? CacheType::q8_0 : CacheType::f16;
    options.kv_mib = integer(object, "kvMib", 0);
    options.context.batch = integer(object, "batch", options.context.batch);
    options.context.threads = integer(object, "threads", options.context.threads);
    options.context.stock_kernels = object.Get("stockKernels").ToBoolean();
    options.restorable = object.Get("restorable").ToBoolean();
    return options;
}

Lanes load(const EngineOptions & options, const std::function<bool()> & should_abort, LoadedInfo & info) {
    std::vector<std::shared_ptr<const Model>> models = make_models(options);
    const std::vector<int32_t> cells = cells_of(options, models);
    size_t next = 0;
    const auto next_lane = [&](bool rewards = false) {
        ContextOptions context_options = options.context;
        context_options.cells = cells[next];
        context_options.rewards = rewards;
        std::shared_ptr<const Model> & model = models[next++];
        auto context = model->make_context(context_options, should_abort);
        return std::make_unique<Lane>(std::move(model), std::move(context));
    };
    Lanes lanes;
    lanes.generator = next_lane(options.on_generator);
    info.generator = describe(*lanes.generator, cells[0]);
    if (options.on_generator) {
        lanes.head = make_reading(options.reading, *lanes.generator->model).head;
        info.verifier = info.generator;
        info.verifier->kv_cells = 0;
        info.verifier->loaded_bytes = 0;
        info.verifier->reading = reading_name(Reading::Kind::head);
    }
    if (options.verifier && options.judges) {
        for (const std::string & word : {options.reading.positive, options.reading.negative}) {
            single_token(*models[next], word);
        }
        lanes.judge = next_lane();
        info.verifier = describe(*lanes.judge, cells[1]);
        info.verifier->reading = judge_reading;
    } else if (options.verifier) {
        lanes.reading = make_reading(options.reading, *models[next]);
        lanes.verifier = next_lane(lanes.reading.kind == Reading::Kind::head);
        info.verifier = describe(*lanes.verifier, cells[1]);
        info.verifier->reading = reading_name(lanes.reading.kind);
    }
    if (options.reference) {
        lanes.reference = next_lane();
        info.reference = describe(*lanes.reference, cells[2]);
    }
    if (options.draft) {
        lanes.draft = next_lane();
        lanes.drafting = options.drafting;
        info.draft = describe(*lanes.draft, cells.back());
    }
    return lanes;
}

}  // namespace thinktree
