/** The figures of an engine, and of a search, that has done nothing. */
import type { EngineStats, Ledger } from "./addon.js";

export const noStats: EngineStats = {
  ...{ prefillMs: 0, decodeMs: 0, sampleMs: 0, planMs: 0, verifyMs: 0, draftMs: 0, idleMs: 0, decodes: 0 },
  ...{
    decodedTokens: 0,
    verifierDecodes: 0,
    verifierTokens: 0,
    referenceDecodes: 0,
    referenceTokens: 0,
    referenceKvCells: 0,
    draftDecodes: 0,
    draftTokens: 0,
    kvCells: 0,
  },
  ...{ verifierKvCells: 0, draftKvCells: 0, leases: 0, searches: 0, treeAttention: 0, deviceSampling: 0, branches: 0 },
  progress: 0,
};

export const noCost: Ledger = {
  ...{
    promptTokens: 0,
    generatedTokens: 0,
    coalescedTokens: 0,
    verifierPromptTokens: 0,
    verifierTokens: 0,
    referenceTokens: 0,
  },
  ...{ recomputedTokens: 0, kvCellsPeak: 0, verifierKvCellsPeak: 0, treeTokensPeak: 0, speculatedTokens: 0 },
  ...{ speculatedKept: 0, draftTokens: 0, milliseconds: 0, flops: 0 },
};
