from vllm import LLM, SamplingParams
from vllm.lora.request import LoRARequest

llm = LLM(model="models/llama", enable_lora=True, max_loras=4, max_lora_rank=16)
outputs = llm.generate(
    ["The capital of France is"],
    SamplingParams(temperature=0, max_tokens=20, stop=["\n"]),
    lora_request=LoRARequest("support", 1, "adapters/support"),
)
