package dev.medley.engine;

import dev.medley.model.Head;
import java.util.List;

/**
 * What is asked of a continuation: HF's {@code text-generation}, by the names of HF's {@code
 * GenerationConfig}. What is null is as the model's {@code generation_config.json} says, and where
 * that is silent as {@code model.generate} has it, but for the length: 64 new tokens.
 *
 * <p>{@code TextGeneration.AUTO.withDoSample(true).withTemperature(0.7)} changes two of them.
 *
 * @param maxNewTokens most tokens of a continuation, at least 1
 * @param doSample whether tokens are drawn; else each is the likeliest
 * @param temperature what logits are divided by before a draw, above 0
 * @param topK a draw is from so many of the likeliest tokens, and those as likely as the last; 0
 *     for all. Where nobody says, 50, as in HF
 * @param topP a draw is from the likeliest tokens that have at least this probability together; in
 *     (0, 1]
 * @param minP a draw is from tokens that have at least this share of the likeliest one's
 *     probability; in [0, 1]
 * @param repetitionPenalty what the logits of tokens that the prompt or the continuation has are
 *     divided by, or multiplied by where they are negative; above 0
 * @param stop texts that end a continuation, which is cut before the first of them; none is empty
 * @param eosTokenIds tokens that end a continuation; an empty list for none
 * @param seed of the draws. A row's draws depend on this number, its prompt's tokens, its adapters
 *     and its own seed if it has one, and on nothing else: not on its partition, its place or its
 *     neighbours. So equal rows get equal draws. In bfloat16 and float16 the logits themselves
 *     differ a little with what runs beside a row, as they do in every library of matrix products
 */
public record TextGeneration(
    Integer maxNewTokens,
    Boolean doSample,
    Double temperature,
    Integer topK,
    Double topP,
    Double minP,
    Double repetitionPenalty,
    List<String> stop,
    List<Long> eosTokenIds,
    long seed)
    implements Task {
  /** As the model says, with seed 0. */
  public static final TextGeneration AUTO =
      new TextGeneration(null, null, null, null, null, null, null, null, null, 0);

  /** Throws IllegalArgumentException for a number out of its range, or an empty stop string. */
  public TextGeneration {
    stop = stop == null ? null : List.copyOf(stop);
    eosTokenIds = eosTokenIds == null ? null : List.copyOf(eosTokenIds);
    Range.check("max-new-tokens", Range.POSITIVE_INTEGER, maxNewTokens);
    Range.check("temperature", Range.POSITIVE, temperature);
    Range.check("top-k", Range.COUNT, topK);
    Range.check("top-p", Range.ABOVE_0_TO_1, topP);
    Range.check("min-p", Range.FROM_0_TO_1, minP);
    Range.check("repetition-penalty", Range.POSITIVE, repetitionPenalty);
    if (stop != null && stop.contains("")) {
      throw new IllegalArgumentException(
          "stop: expected texts of at least one character, got \"\"");
    }
  }

  @Override
  public String pipeline() {
    return "text-generation";
  }

  @Override
  public Head head() {
    return Head.CAUSAL_LM;
  }

  /** A prompt without its end, or its beginning, is another prompt. */
  @Override
  public boolean mayTruncate() {
    return false;
  }

  public TextGeneration withMaxNewTokens(Integer tokens) {
    return new TextGeneration(
        tokens,
        doSample,
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        stop,
        eosTokenIds,
        seed);
  }

  public TextGeneration withDoSample(Boolean sample) {
    return new TextGeneration(
        maxNewTokens,
        sample,
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        stop,
        eosTokenIds,
        seed);
  }

  public TextGeneration withTemperature(Double divisor) {
    return new TextGeneration(
        maxNewTokens,
        doSample,
        divisor,
        topK,
        topP,
        minP,
        repetitionPenalty,
        stop,
        eosTokenIds,
        seed);
  }

  public TextGeneration withTopK(Integer tokens) {
    return new TextGeneration(
        maxNewTokens,
        doSample,
        temperature,
        tokens,
        topP,
        minP,
        repetitionPenalty,
        stop,
        eosTokenIds,
        seed);
  }

  public TextGeneration withTopP(Double probability) {
    return new TextGeneration(
        maxNewTokens,
        doSample,
        temperature,
        topK,
        probability,
        minP,
        repetitionPenalty,
        stop,
        eosTokenIds,
        seed);
  }

  public TextGeneration withMinP(Double share) {
    return new TextGeneration(
        maxNewTokens,
        doSample,
        temperature,
        topK,
        topP,
        share,
        repetitionPenalty,
        stop,
        eosTokenIds,
        seed);
  }

  public TextGeneration withRepetitionPenalty(Double penalty) {
    return new TextGeneration(
        maxNewTokens, doSample, temperature, topK, topP, minP, penalty, stop, eosTokenIds, seed);
  }

  public TextGeneration withStop(List<String> texts) {
    return new TextGeneration(
        maxNewTokens,
        doSample,
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        texts,
        eosTokenIds,
        seed);
  }

  public TextGeneration withEosTokenIds(List<Long> ids) {
    return new TextGeneration(
        maxNewTokens, doSample, temperature, topK, topP, minP, repetitionPenalty, stop, ids, seed);
  }

  public TextGeneration withSeed(long number) {
    return new TextGeneration(
        maxNewTokens,
        doSample,
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        stop,
        eosTokenIds,
        number);
  }
}
