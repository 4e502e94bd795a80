/**
 * The one bridge between the window and the main process. Sandboxed: it can require Electron and nothing else.
 *
 * Owns: the channels' names on this side. Must not know: what is asked.
 */
import electron = require("electron");
import type { Api, Outcome, Progress } from "./contract.js" with { "resolution-mode": "import" };

const { contextBridge, ipcRenderer } = electron;

const api: Api = {
  ask: (question) => ipcRenderer.invoke("ask", question) as Promise<Outcome>,
  cancel: () => ipcRenderer.send("cancel"),
  onProgress(listener) {
    const hear = (_event: Electron.IpcRendererEvent, progress: Progress) => listener(progress);
    ipcRenderer.on("progress", hear);
    return () => void ipcRenderer.off("progress", hear);
  },
};

contextBridge.exposeInMainWorld("thinktree", api);
