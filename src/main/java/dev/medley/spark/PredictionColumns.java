package dev.medley.spark;

import dev.medley.engine.FeatureExtraction;
import dev.medley.engine.Lineage;
import dev.medley.engine.Prediction;
import dev.medley.engine.Prediction.Classification;
import dev.medley.engine.Prediction.Embedding;
import dev.medley.engine.Prediction.Entities;
import dev.medley.engine.Prediction.Generation;
import dev.medley.engine.Prediction.Likelihood;
import dev.medley.engine.RowError;
import dev.medley.engine.Task;
import dev.medley.engine.TextClassification;
import dev.medley.engine.TextGeneration;
import dev.medley.engine.TokenClassification;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataType;

/** What the engine's results are in Spark's types. */
final class PredictionColumns {
  /** Of the error column. */
  static final DataType ERROR = DataType.fromDDL("struct<code:string,message:string>");

  /** Of the lineage column. */
  static final DataType LINEAGE =
      DataType.fromDDL(
          "struct<base:string,adapter_set:string,adapters:array<struct<name:string,weight:double,"
              + "sha256:string,config_sha256:string>>,version:string,mode:string,device:string,"
              + "tokens:int,truncated:boolean>");

  private static final DataType EMBEDDING = DataType.fromDDL("array<float>");
  private static final DataType CLASSIFICATION =
      DataType.fromDDL(
          "struct<label:string,score:float,scores:array<struct<label:string,score:float>>>");
  private static final DataType ENTITIES =
      DataType.fromDDL("array<struct<word:string,label:string,score:float,start:int,end:int>>");
  private static final DataType GENERATION =
      DataType.fromDDL(
          "struct<text:string,tokens:array<int>,finish_reason:string,prompt_tokens:int,"
              + "generated_tokens:int>");
  private static final DataType LIKELIHOOD =
      DataType.fromDDL(
          "struct<log_likelihood:double,perplexity:double,tokens:array<int>,"
              + "log_probs:array<float>,is_greedy:boolean>");

  private PredictionColumns() {}

  /** Of a task's predictions. */
  static DataType type(Task task) {
    if (task instanceof FeatureExtraction) {
      return EMBEDDING;
    }
    if (task instanceof TextClassification) {
      return CLASSIFICATION;
    }
    if (task instanceof TokenClassification) {
      return ENTITIES;
    }
    return task instanceof TextGeneration ? GENERATION : LIKELIHOOD;
  }

  /** A prediction of that type; null for none. */
  static Object value(Prediction prediction) {
    if (prediction instanceof Embedding embedding) {
      return embedding.values();
    }
    if (prediction instanceof Classification best) {
      Object[] scores =
          best.scores().stream()
              .map(each -> RowFactory.create(each.label(), each.score()))
              .toArray();
      return RowFactory.create(best.label(), best.score(), scores);
    }
    if (prediction instanceof Entities found) {
      return found.entities().stream()
          .map(e -> RowFactory.create(e.word(), e.label(), e.score(), e.start(), e.end()))
          .toArray();
    }
    if (prediction instanceof Generation made) {
      return RowFactory.create(
          made.text(),
          made.tokens(),
          made.finishReason().toString(),
          made.promptTokens(),
          made.generatedTokens());
    }
    if (prediction instanceof Likelihood scored) {
      return RowFactory.create(
          scored.logLikelihood(),
          scored.perplexity(),
          scored.tokens(),
          scored.logProbs(),
          scored.isGreedy());
    }
    return null;
  }

  static Row value(Lineage lineage) {
    return RowFactory.create(
        lineage.base(),
        lineage.adapterSet(),
        lineage.adapters() == null ? null : adapters(lineage),
        lineage.version(),
        lineage.mode(),
        lineage.device(),
        lineage.tokens(),
        lineage.truncated());
  }

  private static Object[] adapters(Lineage lineage) {
    return lineage.adapters().stream()
        .map(
            each ->
                RowFactory.create(each.name(), each.weight(), each.sha256(), each.configSha256()))
        .toArray();
  }

  /** An error; null for none. */
  static Row value(RowError error) {
    return error == null ? null : RowFactory.create(error.code().name(), error.message());
  }
}
