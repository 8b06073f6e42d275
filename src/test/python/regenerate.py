"""Writes every fixture anew."""

import acceptance
import chat
import configs
import decoder_adapters
import decoders
import layers
import load_results
import lora
import models
import pipelines
import sampling
import sets
import tokenizers_
import verbs

models.main()
decoders.main()
tokenizers_.main()
chat.main()
layers.main()
lora.main()
acceptance.main()
pipelines.main()
decoder_adapters.main()
configs.main()
verbs.main()
load_results.main()
sampling.main()
sets.main()  # patches PEFT
