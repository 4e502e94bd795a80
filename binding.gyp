{
  # Lets npm, node-gyp and electron-rebuild recognise an addon; the build itself is CMake's.
  "targets": [
    {
      "target_name": "thinktree",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": [],
          "outputs": ["<(module_root_dir)/build/Release/thinktree.node"],
          "action": ["node", "<(module_root_dir)/scripts/build-native.mjs", "--gyp"]
        }
      ]
    }
  ]
}
