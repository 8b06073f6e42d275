"""Writes every fixture anew."""

import layers
import lora
import models
import pipelines
import sets
import tokenizers_

models.main()
tokenizers_.main()
layers.main()
lora.main()
pipelines.main()
sets.main()
