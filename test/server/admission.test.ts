/** Who is admitted when: caps, turns, a full queue. */
import { describe, expect, it } from "vitest";
import { Admission, type AdmissionLimits, type Weight } from "../../lib/server/admission.js";

const light = { branches: 1, tokens: 1 };
const never = new AbortController().signal;

function admissionOf(limits: Partial<AdmissionLimits> = {}) {
  const admission = new Admission({
    ...{ searches: 1, branches: 100, tokens: 1_000, queue: 100, queueMs: 60_000, ...limits },
  });
  const order: string[] = [];
  /** Notes when it is admitted. */
  const enter = async (client: string, weight: Weight = light, signal = never) => {
    const leave = await admission.enter(client, weight, signal);
    order.push(client);
    return leave;
  };
  return { admission, enter, order };
}

const settled = () => new Promise(setImmediate);

describe("admission", () => {
  it("goes round the clients, however many searches one of them brings", async () => {
    const { enter, order } = admissionOf();
    const leave = await enter("x");
    const waiting = ["a", "a", "a", "b", "b", "c"].map((client) => enter(client).then((leave) => leave()));
    leave();
    await Promise.all(waiting);
    expect(order).toEqual(["x", "a", "b", "c", "a", "b", "a"]);
  });

  it.each([
    ["branches", { branches: 60, tokens: 1 }],
    ["tokens", { branches: 1, tokens: 600 }],
  ])("keeps the sum of %s under its cap, and passes no large search over", async (_, heavy) => {
    const { enter, order } = admissionOf({ searches: 10 });
    const leave = await enter("first", heavy);
    const second = enter("second", heavy);
    const third = enter("third");
    await settled();
    expect(order).toEqual(["first"]);
    leave();
    await Promise.all([second, third]);
    expect(order).toEqual(["first", "second", "third"]);
  });

  it("refuses at once what could never be admitted", async () => {
    const { enter } = admissionOf();
    await expect(enter("a", { branches: 101, tokens: 1 })).rejects.toMatchObject({ statusCode: 400 });
    await expect(enter("a", { branches: 1, tokens: 1_001 })).rejects.toMatchObject({ statusCode: 400 });
  });

  it("lets nobody fill the queue alone: the latest of who has most there gives way", async () => {
    const { enter, order } = admissionOf({ queue: 3 });
    const leave = await enter("x");
    const greedy = [enter("a"), enter("a"), enter("a")];
    const refused = greedy[2]!.catch((error: unknown) => error);
    const modest = enter("b");
    expect(await refused).toMatchObject({ statusCode: 429 });
    await expect(enter("a")).rejects.toMatchObject({ statusCode: 429 });
    leave();
    (await greedy[0]!)();
    (await modest)();
    await greedy[1]!;
    expect(order).toEqual(["x", "a", "b", "a"]);
  });

  it("forgets who leaves the queue, and lets those behind through", async () => {
    const { admission, enter, order } = admissionOf({ searches: 2 });
    const leave = await enter("x", { branches: 90, tokens: 1 });
    const leaving = new AbortController();
    const heavy = enter("a", { branches: 90, tokens: 1 }, leaving.signal);
    const small = enter("b");
    leaving.abort();
    await expect(heavy).rejects.toMatchObject({ statusCode: 499 });
    await small;
    expect(order).toEqual(["x", "b"]);
    expect([admission.running, admission.waiting]).toEqual([2, 0]);
    leave();
    await expect(enter("c", light, AbortSignal.abort())).rejects.toMatchObject({ statusCode: 499 });
    expect([admission.running, admission.waiting]).toEqual([1, 0]);
  });

  it("refuses all who wait or come when it is closed", async () => {
    const { admission, enter } = admissionOf();
    await enter("x");
    const waiting = [enter("a"), enter("b")].map((one) => one.catch((error: unknown) => error));
    admission.close();
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ statusCode: 503 });
    await expect(enter("c")).rejects.toMatchObject({ statusCode: 503 });
  });
});
