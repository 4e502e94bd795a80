/** What a GGUF file says of itself, for rooms that must not know the addon. */
export { metadataTexts } from "./addon.js";
