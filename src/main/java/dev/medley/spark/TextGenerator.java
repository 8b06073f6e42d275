package dev.medley.spark;

import dev.medley.engine.TextGeneration;
import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.ml.param.BooleanParam;
import org.apache.spark.ml.param.DoubleParam;
import org.apache.spark.ml.param.IntArrayParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.LongParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.StringArrayParam;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import scala.Function1;

/**
 * Adds a column with a decoder's continuation of a prompt, or its answer in a chat, {@code
 * struct<text:string, tokens:array<int>, finish_reason:string, prompt_tokens:int,
 * generated_tokens:int>}: HF's {@code text-generation}, each row under its own adapter.
 *
 * <p>What is not set is as the model's {@code generation_config.json} says, and where that is
 * silent as {@code model.generate} has it, but for the length: 64 new tokens. A prompt is never
 * cut: one that is too long is an error, whatever {@code truncation} says.
 *
 * <pre>{@code
 * new TextGenerator().setModel("Llama-3.2-1B-Instruct").addAdapter("support", "adapters/support")
 *     .setMessagesCol("messages").setAdapterCol("adapter").setMaxNewTokens(200).generate(rows);
 * }</pre>
 */
public final class TextGenerator extends TextTransformer<TextGenerator> {
  private static final long serialVersionUID = 1L;

  private final IntParam maxNewTokens;
  private final BooleanParam doSample;
  private final DoubleParam temperature;
  private final IntParam topK;
  private final DoubleParam topP;
  private final DoubleParam minP;
  private final DoubleParam repetitionPenalty;
  private final StringArrayParam stop;
  private final IntArrayParam eosTokenIds;
  private final LongParam seed;
  private final Param<String> seedCol;
  private final Param<String> messagesCol;
  private final LongParam cacheMemory;

  public TextGenerator() {
    this(randomUid("textGenerator"));
  }

  /** With the name that a saved one has. */
  public TextGenerator(String uid) {
    super(uid);
    maxNewTokens =
        new IntParam(
            this,
            "maxNewTokens",
            "most tokens of a continuation",
            asked("maxNewTokens", TextGeneration::withMaxNewTokens));
    doSample =
        new BooleanParam(this, "doSample", "whether tokens are drawn; else each is the likeliest");
    temperature =
        new DoubleParam(
            this,
            "temperature",
            "what logits are divided by before a draw",
            asked("temperature", TextGeneration::withTemperature));
    topK =
        new IntParam(
            this,
            "topK",
            "a draw is from so many of the likeliest tokens; 0 for all",
            asked("topK", TextGeneration::withTopK));
    topP =
        new DoubleParam(
            this,
            "topP",
            "a draw is from the likeliest tokens that have this probability together",
            asked("topP", TextGeneration::withTopP));
    minP =
        new DoubleParam(
            this,
            "minP",
            "a draw is from tokens that have this share of the likeliest one's probability",
            asked("minP", TextGeneration::withMinP));
    repetitionPenalty =
        new DoubleParam(
            this,
            "repetitionPenalty",
            "what logits of tokens that are there already are divided by",
            asked("repetitionPenalty", TextGeneration::withRepetitionPenalty));
    stop =
        new StringArrayParam(
            this,
            "stop",
            "texts that end a continuation, which is cut before the first of them",
            asked("stop", (TextGeneration task, String[] texts) -> task.withStop(List.of(texts))));
    eosTokenIds =
        new IntArrayParam(this, "eosTokenIds", "tokens that end a continuation; empty for none");
    seed =
        new LongParam(
            this, "seed", "of the draws: an equal row gets an equal text, wherever it stands");
    seedCol =
        new Param<>(
            this,
            "seedCol",
            "column with a row's own seed, beside the seed of all: an integer, null for none");
    messagesCol =
        new Param<>(
            this,
            "messagesCol",
            "column with chats in place of the input column:"
                + " array<struct<role:string,content:string>>; the model's chat template writes"
                + " them");
    cacheMemory =
        new LongParam(
            this,
            "cacheMemory",
            "most bytes that a task takes for keys and values; 0 for room for batchSize rows of"
                + " 1024 tokens, but at most 2 GiB",
            check(
                bytes -> {
                  if ((long) bytes < 0) {
                    throw new IllegalArgumentException(
                        "cacheMemory: expected at least 0, got " + bytes);
                  }
                }));
    setDefaults();
    setDefault(seed, TextGeneration.AUTO.seed());
    setDefault(cacheMemory, 0L);
  }

  /** Accepts what the task does, in its words. */
  @SuppressWarnings("unchecked")
  private static <P, V> Function1<P, Object> asked(String name, With<V> with) {
    return check(
        value -> {
          try {
            with.apply(TextGeneration.AUTO, (V) value);
          } catch (IllegalArgumentException e) {
            String problem = e.getMessage().substring(e.getMessage().indexOf(':'));
            throw new IllegalArgumentException(name + problem, e);
          }
        });
  }

  private interface With<V> extends Serializable {
    TextGeneration apply(TextGeneration task, V value);
  }

  public IntParam maxNewTokens() {
    return maxNewTokens;
  }

  public BooleanParam doSample() {
    return doSample;
  }

  public DoubleParam temperature() {
    return temperature;
  }

  public IntParam topK() {
    return topK;
  }

  public DoubleParam topP() {
    return topP;
  }

  public DoubleParam minP() {
    return minP;
  }

  public DoubleParam repetitionPenalty() {
    return repetitionPenalty;
  }

  public StringArrayParam stop() {
    return stop;
  }

  public IntArrayParam eosTokenIds() {
    return eosTokenIds;
  }

  public LongParam seed() {
    return seed;
  }

  public Param<String> seedCol() {
    return seedCol;
  }

  public Param<String> messagesCol() {
    return messagesCol;
  }

  public LongParam cacheMemory() {
    return cacheMemory;
  }

  /** Most tokens of a continuation. */
  public TextGenerator setMaxNewTokens(int value) {
    return with(maxNewTokens, value);
  }

  /** Null for what the model says. */
  public Integer getMaxNewTokens() {
    return (Integer) orNull(maxNewTokens);
  }

  /** Whether tokens are drawn; else each is the likeliest. */
  public TextGenerator setDoSample(boolean value) {
    return with(doSample, value);
  }

  /** Null for what the model says. */
  public Boolean getDoSample() {
    return (Boolean) orNull(doSample);
  }

  /** What logits are divided by before a draw. */
  public TextGenerator setTemperature(double value) {
    return with(temperature, value);
  }

  /** Null for what the model says. */
  public Double getTemperature() {
    return (Double) orNull(temperature);
  }

  /** A draw is from so many of the likeliest tokens; 0 for all. */
  public TextGenerator setTopK(int value) {
    return with(topK, value);
  }

  /** Null for what the model says. */
  public Integer getTopK() {
    return (Integer) orNull(topK);
  }

  /** A draw is from the likeliest tokens that have this probability together. */
  public TextGenerator setTopP(double value) {
    return with(topP, value);
  }

  /** Null for what the model says. */
  public Double getTopP() {
    return (Double) orNull(topP);
  }

  /** A draw is from tokens that have this share of the likeliest one's probability. */
  public TextGenerator setMinP(double value) {
    return with(minP, value);
  }

  /** Null for what the model says. */
  public Double getMinP() {
    return (Double) orNull(minP);
  }

  /** What logits of tokens that are there already are divided by; 1 for no penalty. */
  public TextGenerator setRepetitionPenalty(double value) {
    return with(repetitionPenalty, value);
  }

  /** Null for what the model says. */
  public Double getRepetitionPenalty() {
    return (Double) orNull(repetitionPenalty);
  }

  /** Texts that end a continuation, which is cut before the first of them. */
  public TextGenerator setStop(String... texts) {
    return with(stop, texts);
  }

  /** Null for what the model says. */
  public String[] getStop() {
    return orNull(stop);
  }

  /** Tokens that end a continuation; none for going on until the length is reached. */
  public TextGenerator setEosTokenIds(int... ids) {
    return with(eosTokenIds, ids);
  }

  /** Null for what the model says. */
  public int[] getEosTokenIds() {
    return orNull(eosTokenIds);
  }

  /** Of the draws; default 0. */
  public TextGenerator setSeed(long number) {
    return with(seed, number);
  }

  public long getSeed() {
    return (long) getOrDefault(seed);
  }

  /** Column with a row's own seed. Without one, equal rows get equal texts. */
  public TextGenerator setSeedCol(String column) {
    return with(seedCol, column);
  }

  /** Null for none. */
  public String getSeedCol() {
    return orNull(seedCol);
  }

  /** Column with chats, in place of the input column. */
  public TextGenerator setMessagesCol(String column) {
    return with(messagesCol, column);
  }

  /** Null for none. */
  public String getMessagesCol() {
    return orNull(messagesCol);
  }

  /** Most bytes that a task takes for keys and values; 0 for a number that fits. */
  public TextGenerator setCacheMemory(long bytes) {
    return with(cacheMemory, bytes);
  }

  public long getCacheMemory() {
    return (long) getOrDefault(cacheMemory);
  }

  /** {@link #transform} by a verb, as DJL's Spark extension has them. */
  public Dataset<Row> generate(Dataset<?> rows) {
    return transform(rows);
  }

  @Override
  TextGeneration task() {
    return new TextGeneration(
        getMaxNewTokens(),
        getDoSample(),
        getTemperature(),
        getTopK(),
        getTopP(),
        getMinP(),
        getRepetitionPenalty(),
        getStop() == null ? null : List.of(getStop()),
        getEosTokenIds() == null
            ? null
            : Arrays.stream(getEosTokenIds()).asLongStream().boxed().toList(),
        getSeed());
  }

  @Override
  ScoringColumns columns() {
    ScoringColumns columns =
        getMessagesCol() == null
            ? super.columns()
            : ScoringColumns.ofChats(getMessagesCol(), getAdapterCol(), getOutputCol())
                .withLineage(getLineageCol());
    return columns.withSeed(getSeedCol());
  }

  @Override
  void check(List<String> problems) {
    if (getMessagesCol() != null && isSet(inputCol())) {
      problems.add(
          "messagesCol: expected none beside inputCol, found "
              + getMessagesCol()
              + " beside "
              + getInputCol()
              + "; a row has a prompt or a chat");
    }
  }

  @Override
  long cacheBytes() {
    return getCacheMemory();
  }

  @Override
  TextGenerator self() {
    return this;
  }

  public static MLReader<TextGenerator> read() {
    return new DefaultParamsReader<>();
  }

  public static TextGenerator load(String path) {
    return read().load(path);
  }
}
