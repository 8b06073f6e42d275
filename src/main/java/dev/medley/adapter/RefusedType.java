package dev.medley.adapter;

import java.util.EnumSet;
import java.util.Set;

/** PEFT's {@code peft_type}s that Medley does not run, each with the reason. */
public enum RefusedType {
  PROMPT_TUNING("puts learned embeddings before the text's, which moves every position"),
  MULTITASK_PROMPT_TUNING("puts learned embeddings of a task before the text's"),
  P_TUNING("puts learned embeddings before the text's, which moves every position"),
  CPT("puts the learned embeddings of a context before the text's"),
  PREFIX_TUNING("gives every attention layer keys and values of a learned prefix"),
  CARTRIDGE("gives every attention layer the stored keys and values of a prefix"),
  ADAPTION_PROMPT("adds to a decoder's attention a second, gated one over learned prompts"),
  SHADOW("runs a second network beside a decoder's layers"),
  XLORA("mixes LoRA adapters by a classifier on the hidden states of a pass without them"),
  POLY("mixes LoRA modules by a routing that the caller's task_ids choose"),
  LILY("mixes shared low-rank experts by a router that looks at the input"),
  OSF("trains singular vectors of the base's weight, which have to be computed anew from it"),
  ADAMSS("trains clusters of the base's singular directions, with the layer's bias among them"),
  PSOFT("rotates the space of the base's leading singular vectors"),
  TINYLORA("changes the base's leading singular directions by random combinations"),
  FROD("builds the whole weight anew from factors that layers share"),
  DEFT("takes a learned projection of the weight away and puts another in its place"),
  PEANUT("makes the change of a weight by a small network that is applied to that weight"),
  SUPERTUNING("changes single entries of a weight, and may add LoRA to them"),
  FOURIERFT("makes its change by a Fourier transform of numbers at random places, not stored"),
  WAVEFT("makes its change by a wavelet transform of numbers at random places, not stored"),
  UNILORA("takes its matrices from one vector at random places"),
  VBLORA("mixes its matrices from a bank of vectors that all layers share"),
  RANDLORA("sums random matrices that all layers share"),
  PVERA("is VeRA with a learned distribution over its vectors"),
  MISS("repeats a block of numbers all over the weight"),
  DELORA("normalises each low-rank component of its change"),
  GRALORA("makes its change of a grid of low-rank blocks"),
  C3A("makes its change of circulant blocks"),
  HIRA("multiplies the weight by a low-rank matrix, element by element"),
  GLORA("scales and shifts the weight and the bias by learned matrices"),
  BEFT("adds to biases alone"),
  BOFT("rotates inputs by a product of butterfly matrices and scales outputs"),
  HRA("reflects inputs by a chain of Householder matrices");

  /** Those whose adapters can be told to PEFT to write as LoRA. */
  private static final Set<RefusedType> CONVERTIBLE =
      EnumSet.of(
          PSOFT, TINYLORA, FOURIERFT, WAVEFT, UNILORA, VBLORA, RANDLORA, MISS, DELORA, GRALORA,
          C3A);

  private final String deed;

  RefusedType(String deed) {
    this.deed = deed;
  }

  /** What the type does that Medley lacks, and what may help: a sentence for people. */
  public String reason() {
    return "it "
        + deed
        + (CONVERTIBLE.contains(this) ? "; PEFT's save_as_lora makes a LoRA of it" : "");
  }
}
