"""The commands, a module each; its `app` is what `anoclip` runs under the module's name."""
