"""The machine that FORLLM runs on: how busy others keep it, staying awake, a person's commands, energy."""
