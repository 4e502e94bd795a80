#include "reading.h"

#include "backend/llama/head_file.h"
#include "base/error.h"
#include "fields.h"

namespace thinktree {

namespace {

Reading::Frame frame(const Napi::Object & object, const char * name) {
    const Napi::Value value = object.Get(name);
    if (!value.IsObject()) return {};
    const auto frame = value.As<Napi::Object>();
    return {text(frame, "before"), text(frame, "after"), frame.Get("trims").ToBoolean()};
}

}  // namespace

const char * reading_name(Reading::Kind kind) {
    switch (kind) {
        case Reading::Kind::likelihood: return "likelihood";
        case Reading::Kind::ratio: return "ratio";
        case Reading::Kind::pair: return "pair";
        case Reading::Kind::head: return "head";
    }
    return "likelihood";
}

ReadingOptions read_reading(const Napi::Object & object) {
    ReadingOptions options;
    Reading & reading = options.reading;
    for (const auto kind : {Reading::Kind::ratio, Reading::Kind::pair, Reading::Kind::head}) {
        if (text(object, "kind") == reading_name(kind)) reading.kind = kind;
    }
    const std::string words = text(object, "words");
    if (words == "joined") reading.words = Reading::Words::joined;
    if (words == "apart") reading.words = Reading::Words::apart;
    reading.first = frame(object, "first");
    reading.next = frame(object, "next");
    reading.probe = text(object, "probe");
    reading.one_line = object.Get("oneLine").ToBoolean();
    reading.before_last = object.Get("beforeLast").ToBoolean();
    reading.beyond = static_cast<uint32_t>(integer(object, "beyond", 0));
    reading.end = text(object, "end");
    if (const Napi::Value beta = object.Get("beta"); beta.IsNumber()) reading.beta = beta.ToNumber().DoubleValue();
    options.positive = text(object, "positive");
    options.negative = text(object, "negative");
    options.head = text(object, "head");
    if (text(object, "activation") == "softmax") options.activation = RewardHead::Activation::softmax;
    if (const Napi::Value classes = object.Get("classes"); classes.IsArray()) {
        const auto list = classes.As<Napi::Array>();
        for (uint32_t i = 0; i < list.Length(); ++i) {
            options.classes.push_back(list.Get(i).As<Napi::Number>().Uint32Value());
        }
    }
    return options;
}

Reading make_reading(const ReadingOptions & options, const Model & model) {
    Reading reading = options.reading;
    if (reading.kind == Reading::Kind::pair) {
        reading.positive = single_token(model, options.positive);
        reading.negative = single_token(model, options.negative);
    } else if (reading.kind == Reading::Kind::head) {
        auto head = std::make_shared<RewardHead>(load_head(options.head), options.activation, options.classes);
        if (head->width() != static_cast<size_t>(model.width())) {
            throw Error(ErrorCode::invalid_option, "the reward head " + options.head + " reads states of " +
                                                       std::to_string(head->width()) + " numbers, the model's have " +
                                                       std::to_string(model.width()) + ": it is another model's");
        }
        reading.head = std::move(head);
    }
    return reading;
}

}  // namespace thinktree
