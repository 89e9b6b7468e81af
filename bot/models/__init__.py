"""The models that write replies: `responses` for OpenAI's API, `langchain` for every other one."""
