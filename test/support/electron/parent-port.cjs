// In the place of what Electron gives a utility process: messages come as events, and it ends with its parent.
process.parentPort = {
  on: (event, listener) => process.on(event, (data) => listener({ data })),
  postMessage: (message) => process.send(message),
};
process.on("disconnect", () => process.exit());
