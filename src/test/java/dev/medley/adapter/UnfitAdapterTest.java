package dev.medley.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import dev.medley.Fixtures;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.io.Checkpoint;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.io.StoredType;
import dev.medley.io.TensorInfo;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a config or the shapes of a file tell against an adapter, type by type. */
class UnfitAdapterTest {
  /** A base of one linear layer lin [9, 13], one table table [17, 9] and one norm [9]. */
  private static BaseModules base() {
    BaseModules base = new BaseModules("none", "");
    base.add(module("lin", Kind.LINEAR, true, 9, 13));
    base.add(module("table", Kind.EMBEDDING, false, 17, 9));
    base.add(module("norm", Kind.NORM, true, 9));
    return base;
  }

  private static Module module(String path, Kind kind, boolean hasBias, long... shape) {
    return new Module(path, kind, Place.BASE, hasBias, shape, shape, null, null);
  }

  /** A file of {@code lin.lora_A 5,13; …}. */
  private static Map<String, TensorInfo> file(String tensors) {
    Map<String, TensorInfo> file = new LinkedHashMap<>();
    for (String tensor : tensors.split("; *")) {
      String[] parts = tensor.split(" ");
      boolean shared = parts[0].startsWith("base_model.");
      String name = shared ? parts[0] : "base_model.model." + parts[0];
      long[] shape = Arrays.stream(parts[1].split(",")).mapToLong(Long::parseLong).toArray();
      long bytes = 4 * Arrays.stream(shape).reduce(1, (a, b) -> a * b);
      file.put(name, new TensorInfo(name, StoredType.F32, shape, "none", 0, bytes));
    }
    return file;
  }

  private static AdapterConfig config(String type, String target, String keys) {
    String json =
        "{\"peft_type\": \"%s\", \"target_modules\": [\"%s\"], %s}".formatted(type, target, keys);
    return AdapterConfig.parse(json, "config");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      textBlock =
          """
          LORA | lin   | "r": 5                | lin.lora_A.weight 5,13,3,3; lin.lora_B.weight 9,5,1,1 | base_model.model.lin.lora_A.weight: expected (5, 13), got (5, 13, 3, 3)
          LORA | lin   | "r": 5                | conv.lora_A.weight 5,3,2,2   | base_model.model.conv.lora_A.weight: unexpected, it is for a convolution, by its shape (5, 3, 2, 2); this base has none
          LORA | lin   | "r": 5                | attn.mha.lora_A.weight 5,13  | base_model.model.attn.mha.lora_A.weight: unexpected, it is for a torch.nn.MultiheadAttention, of which this base has none
          LORA | norm  | "r": 5                | norm.lora_A.weight 5,9       | norm: LORA fits linear and embedding modules only
          LORA | table | "r": 5, "lora_bias": true | table.lora_embedding_A 5,17; table.lora_embedding_B 9,5 | table: PEFT has no lora_bias for embeddings
          LORA | table | "r": 5, "kasa_config": {} | table.lora_embedding_A 5,17; table.lora_embedding_B 9,5 | table: PEFT has no kasa_config for embeddings
          LOHA | lin   | "r": 2                | lin.hada_w1_a 9,2; lin.hada_w1_b 2,13; lin.hada_w2_a 9,3; lin.hada_w2_b 2,13 | lin.hada_w2_a: expected (9, 2), got (9, 3)
          LOHA | table | "r": 2                | table.hada_w1_a 9,2          | table: adapters of this type fit linear modules only
          LOKR | lin   | "r": 2                | lin.lokr_w1 2,13; lin.lokr_w2 9,1 | lin.lokr_w1: expected (3, 1), got (2, 13)
          LOKR | lin   | "r": 2                | lin.lokr_w1 3,1; lin.lokr_w2_a 3,2; lin.lokr_w2_b 2,2 | lin.lokr_w2_b: expected (2, 13), got (2, 2)
          LOKR | table | "r": 2                | table.lokr_w1 1,1            | table: adapters of this type fit linear modules only
          OFT  | lin   | "oft_block_size": 4   | lin.oft_R.weight 3,6         | lin.oft_R.weight: expected (13, 0), got (3, 6)
          OFT  | lin   | "oft_block_size": 13  | lin.oft_R.weight 1,77        | lin.oft_R.weight: expected (1, 78), got (1, 77)
          OFT  | table | "oft_block_size": 3   | table.oft_embedding_R.weight 2,3 | table.oft_embedding_R.weight: expected (3, 3), got (2, 3)
          SHIRA | lin  | "r": 2                | lin.shira_weight 43; lin.shira_indices 2,44 | lin.shira_weight: expected (44), got (43)
          SHIRA | lin  | "r": 2                | lin.shira_weight 44; lin.shira_indices 44,2 | lin.shira_indices: expected (2, 44), got (44, 2)
          SHIRA | lin  | "r": 6                | lin.shira_weight 132; lin.shira_indices 2,132 | lin: r: expected at most 5, since no weight has more than its own places, found 6
          LOHA | lin   | "r": 2, "alpha": 1e31 | lin.hada_w1_a 9,2            | lin: expected alpha over the rank to be at most 1.0E30, found 5.0E30; correct alpha
          LOKR | lin   | "r": 2, "alpha": 1e31 | lin.lokr_w1 3,1              | lin: expected alpha over the rank to be at most 1.0E30, found 5.0E30; correct alpha
          ADALORA | lin | "init_r": 2, "lora_alpha": 1e31 | lin.lora_A 2,13    | lin: expected alpha over the rank to be at most 1.0E30, found 4.999975000124999E30; correct alpha
          SHIRA | table | "r": 2               | table.shira_weight 52        | table: adapters of this type fit linear modules only
          ADALORA | lin | "init_r": 3          | lin.lora_A 3,13; lin.lora_E 3; lin.lora_B 9,3 | lin.lora_E: expected (3, 1), got (3)
          ADALORA | lin | "init_r": 3, "rank_pattern": {"lin.lora_E": [true, false, true]} | lin.lora_A 3,13; lin.lora_E 2,1; lin.lora_B 9,2 | lin.lora_A: expected (2, 13), got (3, 13)
          ADALORA | table | "init_r": 3        | table.lora_embedding_A 3,17  | table: adapters of this type fit linear modules only
          IA3  | lin   | "feedforward_modules": ["lin"] | lin.ia3_l 9,1       | lin.ia3_l: expected (1, 13), got (9, 1)
          IA3  | lin   | "feedforward_modules": []      | lin.ia3_l 1,13      | lin.ia3_l: expected (9, 1), got (1, 13)
          IA3  | table | "feedforward_modules": []      | table.ia3_l 9,1     | table: adapters of this type fit linear modules only
          ROAD | lin   | "group_size": 4       | lin.road_theta 4; lin.road_alpha 4 | lin: group_size: expected a divisor of 9, found 4
          ROAD | table | "group_size": 2       | table.road_theta 4           | table: adapters of this type fit linear modules only
          VERA | lin   | "r": 3                | base_model.vera_A 3,13; lin.vera_lambda_b 9; lin.vera_lambda_d 3 | base_model.vera_B: expected a tensor (9, 3), found none
          VERA | lin   | "r": 3                | base_model.vera_A 3,12; base_model.vera_B 9,3; lin.vera_lambda_b 9; lin.vera_lambda_d 3 | base_model.vera_A: expected (3, 13), got (3, 12)
          VERA | lin   | "r": 3                | base_model.vera_A 3,13; base_model.vera_B 8,3; lin.vera_lambda_b 9; lin.vera_lambda_d 3 | base_model.vera_B: expected (9, 3), got (8, 3)
          VERA | lin   | "r": 3                | base_model.vera_A 4,13; base_model.vera_B 9,3; lin.vera_lambda_b 9; lin.vera_lambda_d 4 | base_model.vera_A: expected (3, 13), got (4, 13)
          VERA | table | "r": 3                | base_model.vera_A 3,13; base_model.vera_B 9,3; table.vera_lambda_b 9 | table: adapters of this type fit linear modules only
          LN_TUNING | lin  | "task_type": null | lin.ln_tuning_layers.weight 9,13 | lin.ln_tuning_layers.bias: expected a tensor (9), found none
          LN_TUNING | norm | "task_type": null | norm.ln_tuning_layers.weight 8; norm.ln_tuning_layers.bias 9 | norm.ln_tuning_layers.weight: expected (9), got (8)
          TRAINABLE_TOKENS | table | "token_indices": [3, 17] | table.trainable_tokens_delta 2,9 | table: expected token_indices below 17, its rows, found 17
          TRAINABLE_TOKENS | table | "token_indices": [3]     | table.trainable_tokens_delta 2,9 | table.trainable_tokens_delta: expected (1, 9), got (2, 9)
          TRAINABLE_TOKENS | lin   | "token_indices": [3]     | lin.trainable_tokens_delta 1,13  | lin: adapters of this type fit embeddings only
          """)
  void shapesAreChecked(String type, String target, String keys, String tensors, String problem) {
    AdapterReport report =
        new AdapterLoader(base(), Precision.FLOAT32)
            .check(config(type, target, keys), file(tensors));
    assertThat(report.problems()).anyMatch(found -> found.endsWith(problem));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      textBlock =
          """
          OFT  | "r": 3                                | oft_block_size: expected an integer, found nothing
          OFT  | "oft_block_size": 3, "num_cayley_neumann_terms": 101 | num_cayley_neumann_terms: expected at most 100, found 101
          LORA | "init_lora_weights": "PiSSA"          | init_lora_weights: "PiSSA" is not supported
          ADALORA | "rank_pattern": [true]             | rank_pattern: expected lists by the name of a module's lora_E, found [true]
          ADALORA | "init_r": 2, "rank_pattern": {"lin.lora_E": [1, 0]}    | rank_pattern.lin.lora_E: expected a list of 2 booleans, one for each rank of init_r, found [1,0]
          ADALORA | "init_r": 3, "rank_pattern": {"lin.lora_E": [true]}    | rank_pattern.lin.lora_E: expected a list of 3 booleans, one for each rank of init_r, found [true]
          ADALORA | "init_r": 3, "rank_pattern": {"lin.lora_E": 2}         | rank_pattern.lin.lora_E: expected a list of 3 booleans, one for each rank of init_r, found 2
          IA3  | "r": null                             | feedforward_modules: expected a list or a regular expression, found none
          IA3  | "feedforward_modules": "("            | feedforward_modules: "(" is no regular expression
          IA3  | "feedforward_modules": ["lin", null]  | feedforward_modules[1]: expected a string, found null
          IA3  | "feedforward_modules": 3              | feedforward_modules: expected a list or a string, found 3
          ROAD | "variant": "road_3"                   | variant: expected road_1, road_2 or road_4, found road_3
          ROAD | "group_size": 7                       | group_size: expected an even number, found 7
          ROAD | "group_size": 0                       | group_size: expected a positive integer, found 0
          VERA | "save_projection": false              | save_projection: false is not supported: vera_A and vera_B are then not in the file
          TRAINABLE_TOKENS | "token_indices": []       | token_indices: expected a list of token ids, found []
          TRAINABLE_TOKENS | "init_weights": true      | token_indices: expected a list of token ids, found null
          TRAINABLE_TOKENS | "token_indices": [4, -1]  | token_indices[1]: expected a token id from 0 on, found -1
          TRAINABLE_TOKENS | "token_indices": [4, 1.5] | token_indices[1]: expected a token id from 0 on, found 1.5
          TRAINABLE_TOKENS | "token_indices": [4, 1, 4] | token_indices: expected every token id once, found [4,1,4]
          LORA | "use_qalora": true                    | use_qalora: true is not supported: QALoRA averages groups of the input
          LORA | "layer_replication": [[0, 4]]         | layer_replication: [[0,4]] is not supported: it makes a deeper base
          LORA | "target_parameters": ["x.y"]          | target_parameters: ["x.y"] is not supported: it puts LoRA on parameters that are no linear layer's
          LORA | "trainable_token_indices": []         | trainable_token_indices: expected a list of token ids, found []
          LORA | "trainable_token_indices": {"t": [1, 1]} | trainable_token_indices.t: expected every token id once, found [1,1]
          LORA | "trainable_token_indices": {}         | trainable_token_indices: expected token ids by the name of a table, found {}
          LORA | "ensure_weight_tying": "yes"          | ensure_weight_tying: expected true or false, found "yes"
          ADALORA | "trainable_token_indices": [3]     | trainable_token_indices: [3] is not supported: it replaces rows of an embedding beside AdaLoRA
          LORA | "alora_invocation_tokens": [3]        | alora_invocation_tokens: [3] is not supported: aLoRA adapts only the tokens from its invocation on
          LORA | "arrow_config": {"top_k": 2}          | arrow_config: {"top_k":2} is not supported: Arrow routes each token
          LORA | "use_bdlora": {"nblocks": 2}          | use_bdlora: {"nblocks":2} is not supported: BD-LoRA stores block-diagonal matrices
          LORA | "velora_config": {"scale": 1}         | velora_config: {"scale":1} is not supported: VeLoRA is plain LoRA once trained
          LORA | "monteclora_config": {"x": 1}         | monteclora_config: {"x":1} is not supported: MonteCLoRA is plain LoRA once trained
          LORA | "init_lora_weights": "loftq"          | init_lora_weights: "loftq" is not supported: PEFT changes the base's weights by it
          ADALORA | "use_dora": true                   | use_dora: true is not supported: AdaLoRA has no such thing
          """)
  void configIsChecked(String type, String keys, String problem) {
    assertThatThrownBy(() -> config(type, "lin", keys))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining(problem);
  }

  /** A decoder whose head is its table: embed_tokens [17, 9], a Conv1D 9 → 27, lin [9, 9]. */
  private static BaseModules decoder(String table, Place head) {
    BaseModules base = new BaseModules("model", head == Place.HEAD ? "CAUSAL_LM" : "");
    Module words = module(table, Kind.EMBEDDING, false, 17, 9);
    long[] shape = {17, 9};
    Module scores = new Module("lm_head", Kind.LINEAR, head, false, shape, shape, null, null);
    base.add(words);
    base.add(module("c_attn", Kind.CONV1D, true, 27, 9));
    base.add(module("lin", Kind.LINEAR, false, 9, 9));
    base.add(scores);
    base.inputEmbeddings(words);
    base.outputEmbeddings(scores);
    base.tie();
    return base;
  }

  private static List<String> problems(
      BaseModules base, String type, String target, String keys, String tensors) {
    return new AdapterLoader(base, Precision.FLOAT32)
        .check(config(type, target, keys), file(tensors))
        .problems();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      textBlock =
          """
          LN_TUNING | c_attn | "task_type": null | model.c_attn.ln_tuning_layers.weight 27,9; model.c_attn.ln_tuning_layers.bias 27 | base_model.model.model.c_attn.ln_tuning_layers.weight: expected (9, 27), got (27, 9)
          LORA | lin    | "r": 2, "modules_to_save": ["c_attn"] | model.c_attn.weight 27,9; model.c_attn.bias 27 | base_model.model.model.c_attn.weight: expected (9, 27), got (27, 9)
          VERA | c_attn | "r": 2 | base_model.vera_A 2,9; base_model.vera_B 9,2; model.c_attn.vera_lambda_b 27; model.c_attn.vera_lambda_d 2 | base_model.vera_B: expected (27, 2), got (9, 2)
          LORA | lin    | "r": 2, "trainable_token_indices": [3, 17] | model.embed_tokens.token_adapter.trainable_tokens_delta 2,9 | embed_tokens.token_adapter: expected trainable_token_indices below 17, its rows, found 17
          LORA | lin    | "r": 2, "trainable_token_indices": [3] | model.embed_tokens.token_adapter.trainable_tokens_delta 2,9 | base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta: expected (1, 9), got (2, 9)
          LORA | lin    | "r": 2, "trainable_token_indices": {"c_attn": [3]} | model.lin.lora_A.weight 2,9 | model.c_attn: trainable_token_indices fits embeddings and the head only
          LORA | lin    | "r": 2, "trainable_token_indices": {"wte": [3]} | model.lin.lora_A.weight 2,9 | trainable_token_indices: this base has no table whose name ends in wte
          LORA | embed_tokens | "r": 2, "trainable_token_indices": [3] | model.embed_tokens.lora_embedding_A 2,17 | model.embed_tokens: trainable_token_indices fits modules here that are neither targets nor saved
          LORA | lm_head | "r": 2, "trainable_token_indices": [3] | model.embed_tokens.token_adapter.trainable_tokens_delta 1,9 | lm_head: trainable_token_indices fits modules here that are neither targets nor saved
          LORA | lin    | "r": 2, "trainable_token_indices": [3], "modules_to_save": ["embed_tokens"] | model.embed_tokens.weight 17,9 | model.embed_tokens: trainable_token_indices fits modules here that are neither targets nor saved
          LORA | lin    | "r": 2, "trainable_token_indices": {"embed_tokens": [3], "lm_head": [4]}, "ensure_weight_tying": true | model.lin.lora_A.weight 2,9 | trainable_token_indices: expected the same of model.embed_tokens and lm_head, which ensure_weight_tying keeps equal, found others
          LORA | lm_head | "r": 2, "ensure_weight_tying": true, "modules_to_save": ["embed_tokens"] | lm_head.weight 17,9; model.embed_tokens.weight 17,9 | lm_head: ensure_weight_tying saves it, and it is a target as well
          LORA | embed_tokens | "r": 2, "ensure_weight_tying": true | model.embed_tokens.lora_embedding_A 2,17; model.embed_tokens.lora_embedding_B 9,2 | lm_head.lora_A.weight: expected a tensor (2, 9), found none
          LORA | lm_head | "r": 2, "init_lora_weights": "pissa" | lm_head.lora_A.weight 2,9; lm_head.lora_B.weight 17,2 | lm_head: expected base_layer.weight, what the adapter's training left of this weight, which model.embed_tokens shares, found none; save the adapter with save_embedding_layers=True
          TRAINABLE_TOKENS | embed_tokens | "token_indices": [3] | model.embed_tokens.trainable_tokens_delta 1,9; lm_head.trainable_tokens_delta 2,9 | base_model.model.lm_head.trainable_tokens_delta: expected (1, 9), got (2, 9)
          TRAINABLE_TOKENS | lin | "token_indices": [3] | model.lin.trainable_tokens_delta 1,9 | lin: adapters of this type fit embeddings only
          LORA | lin | "r": 2 | model.lin.base_layer.weight 9,9 | base_model.model.model.lin.base_layer.weight: unexpected, the config puts no adapter on such a module of this base
          """)
  void shapesOfADecoderAreChecked(
      String type, String target, String keys, String tensors, String problem) {
    assertThat(problems(decoder("embed_tokens", Place.HEAD), type, target, keys, tensors))
        .contains(problem);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      textBlock =
          """
          LORA     | "init_lora_weights": "olora"
          LORA     | "kasa_config": {}
          LOHA     | "r": 2
          LOKR     | "r": 2
          OFT      | "oft_block_size": 3
          SHIRA    | "r": 2
          ROAD     | "group_size": 2
          TRAINABLE_TOKENS | "token_indices": [3]
          """)
  void whatPeftDoesNotFitOnAConv1dIsRefused(String type, String keys) {
    assertThat(
            problems(
                decoder("embed_tokens", Place.HEAD), type, "c_attn", keys, "model.c_attn.x 2,2"))
        .contains(
            "model.c_attn: "
                + type
                + " under this config does not fit a Conv1D, as GPT-2's linear layers are; nor"
                + " does it in PEFT");
  }

  /** In PEFT, wte follows where lm_head was asked for in memory, and does not where it is read. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      textBlock =
          """
          wte     | "r": 2 | model.wte.lora_embedding_A 2,17; model.wte.lora_embedding_B 9,2
          lm_head | "r": 2 | lm_head.lora_A.weight 2,9; lm_head.lora_B.weight 17,2
          lin     | "r": 2, "modules_to_save": ["wte"] | model.wte.weight 17,9; model.lin.lora_A.weight 2,9; model.lin.lora_B.weight 9,2
          lin     | "r": 2 | lm_head.weight 17,9
          """)
  void tyingOfATableThatPeftDoesNotKnowIsRefused(String target, String keys, String tensors) {
    String tied = keys + ", \"ensure_weight_tying\": true";
    assertThat(problems(decoder("wte", Place.HEAD), "LORA", target, tied, tensors))
        .contains(
            "ensure_weight_tying: expected false on a base whose table is wte, found true: PEFT"
                + " ties only one called embed_tokens, and reads this adapter otherwise than it was"
                + " trained");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      textBlock =
          """
          wte          | LORA | lin | "r": 2, "ensure_weight_tying": true, "trainable_token_indices": [3] | model.wte.token_adapter.trainable_tokens_delta 1,9; model.lin.lora_A.weight 2,9; model.lin.lora_B.weight 9,2
          embed_tokens | LORA | lin | "r": 2, "trainable_token_indices": {"embed_tokens": [3], "lm_head": [4, 5]} | model.embed_tokens.token_adapter.trainable_tokens_delta 1,9; lm_head.token_adapter.trainable_tokens_delta 2,9; model.lin.lora_A.weight 2,9; model.lin.lora_B.weight 9,2
          embed_tokens | LORA | lin | "r": 2, "trainable_token_indices": {"embed_tokens": [3], "lm_head": [3]} | model.embed_tokens.token_adapter.trainable_tokens_delta 1,9; model.lin.lora_A.weight 2,9; model.lin.lora_B.weight 9,2
          embed_tokens | TRAINABLE_TOKENS | embed_tokens | "token_indices": [3] | model.embed_tokens.trainable_tokens_delta 1,9
          embed_tokens | LORA | lin | "r": 2 | model.lin.lora_A.weight 2,9; model.lin.lora_B.weight 9,2; model.embed_tokens.weight 17,9; lm_head.weight 17,9
          embed_tokens | LORA | lin | "r": 2, "modules_to_save": ["lm_head"] | model.lin.lora_A.weight 2,9; model.lin.lora_B.weight 9,2; lm_head.weight 17,9; lm_head.modules_to_save.weight 17,9; lm_head.original_module.weight 17,9
          embed_tokens | ADALORA | lin | "init_r": 2, "ensure_weight_tying": true, "modules_to_save": ["lm_head"] | model.lin.lora_A 2,9; model.lin.lora_E 2,1; model.lin.lora_B 9,2; lm_head.weight 17,9; model.embed_tokens.weight 17,9
          """)
  void whatPeftReadsIsTaken(String table, String type, String target, String keys, String tensors) {
    assertThat(problems(decoder(table, Place.HEAD), type, target, keys, tensors)).isEmpty();
  }

  @Test
  void rowsOfABaseWithoutATableOfTokensAreRefused() {
    String tensors = "lin.lora_A.weight 2,13; lin.lora_B.weight 9,2";
    String keys = "\"r\": 2, \"trainable_token_indices\": [3]";
    assertThat(problems(base(), "LORA", "lin", keys, tensors))
        .containsExactly("trainable_token_indices: this base has no table of tokens");
  }

  @Test
  void allLinearIsLinearAndConv1dWithoutTheHead() {
    String json = "{\"peft_type\": \"LORA\", \"target_modules\": \"all-linear\", \"r\": 2}";
    String tensors =
        "model.lin.lora_A.weight 2,9; model.lin.lora_B.weight 9,2;"
            + "model.c_attn.lora_A.weight 2,9; model.c_attn.lora_B.weight 27,2";
    AdapterReport report =
        new AdapterLoader(decoder("embed_tokens", Place.HEAD), Precision.FLOAT32)
            .check(AdapterConfig.parse(json, "config"), file(tensors));
    assertThat(report.problems()).isEmpty();
    assertThat(report.targets()).containsExactly("c_attn", "lin");
  }

  /** What is taken from a head that no task runs is taken from the table. */
  @Test
  void partOfAHeadThatIsNotRunIsMissedToo() {
    String tensors =
        "model.lin.lora_A.weight 2,9; model.lin.lora_B.weight 9,2;"
            + "lm_head.lora_A.weight 2,9; lm_head.lora_B.weight 17,2";
    String keys = "\"r\": 2, \"init_lora_weights\": \"pissa\"";
    BaseModules base = decoder("embed_tokens", Place.IDLE_HEAD);
    assertThat(problems(base, "LORA", "lin\", \"lm_head", keys, tensors))
        .containsExactly(
            "lm_head: expected base_layer.weight, what the adapter's training left of this weight,"
                + " which model.embed_tokens shares, found none; save the adapter with"
                + " save_embedding_layers=True");
    assertThat(problems(base, "LORA", "lin\", \"lm_head", "\"r\": 2", tensors)).isEmpty();
  }

  /** Places of a SHiRA of lin [9, 13] on a layer [13, 9], which has as many of them. */
  @Test
  void placesBeyondTheWeightAreRefused() throws IOException {
    BaseModules base = new BaseModules("none", "");
    base.add(module("lin", Kind.LINEAR, true, 13, 9));
    Location folder = Fixtures.location("adapters/SHIRA/random");
    AdapterConfig config =
        AdapterConfig.parse(
            Files.readString(folder.resolve("adapter_config.json").path()), "config");
    try (NDManager owner = NDManager.newBaseManager();
        Checkpoint file = Checkpoint.open(Storage.standard(), folder, "adapter_model")) {
      AdapterLoader loader = new AdapterLoader(base, Precision.FLOAT32);
      assertThatThrownBy(() -> loader.load("shira", config, file, owner.newSubManager()))
          .isInstanceOf(LoadException.class)
          .hasMessageEndingWith("lin.shira_indices: expected places in (13, 9)");
    }
  }

  /** One report names every problem. */
  @Test
  void allProblemsAreSaidAtOnce() {
    String tensors = "lin.vera_lambda_b 8; lin.vera_lambda_d 4";
    List<String> problems =
        new AdapterLoader(base(), Precision.FLOAT32)
            .check(config("VERA", "lin", "\"r\": 3"), file(tensors))
            .problems();
    assertThat(problems)
        .containsExactly(
            "base_model.vera_A: expected a tensor (3, 13), found none",
            "base_model.vera_B: expected a tensor (9, 3), found none",
            "base_model.model.lin.vera_lambda_d: expected (3), got (4)",
            "base_model.model.lin.vera_lambda_b: expected (9), got (8)");
  }
}
