package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.TextClassification;
import java.io.InvalidClassException;
import java.io.ObjectInputStream;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;
import org.junit.jupiter.api.Test;

class JavaBytesTest {
  @Test
  void whatIsBroadcastArrives() {
    EngineSpec spec =
        LocalSpark.spec(Fixtures.path("models/bert-sequence"), TextClassification.AUTO, "qv")
            .withSets(java.util.Map.of("both", List.of("qv", "0.5*qv")));
    Configuration conf = new Configuration(false);
    conf.set("fs.s3a.secret.key", "s");
    SharedSpec shared =
        SharedSpec.of(
            new SharedSpec(spec, List.of("v1"), new SerializableConfiguration(conf)).toBytes());
    assertThat(shared.spec()).isEqualTo(spec);
    assertThat(shared.baseVersions()).containsExactly("v1");
    assertThat(shared.hadoop().value().get("fs.s3a.secret.key")).isEqualTo("s");
  }

  /** Neither of the JDK beyond its plain values, nor of Spark, wherever in the object it is. */
  @Test
  void otherObjectsAreNotEvenMade() {
    for (Serializable stranger :
        List.of(URI.create("http://x"), BigInteger.TEN, new StructType(), new AtomicInteger())) {
      for (Serializable object : List.of(stranger, new ArrayList<>(List.of(stranger)))) {
        assertThatThrownBy(() -> JavaBytes.read(JavaBytes.write(object), Object.class))
            .isInstanceOf(UncheckedIOException.class)
            .hasCauseInstanceOf(InvalidClassException.class)
            .hasMessageContaining("filter status: REJECTED");
      }
    }
  }

  @Test
  void ourOwnClassesAreNotAWayAroundTheFilter() {
    assertThatThrownBy(
            () -> JavaBytes.read(JavaBytes.write(new Holder(new AtomicInteger())), Holder.class))
        .isInstanceOf(UncheckedIOException.class);
    assertThat(Holder.read).isFalse();
  }

  private static final class Holder implements Serializable {
    private static final long serialVersionUID = 1L;
    static volatile boolean read;

    private final Object inside;

    Holder(Serializable inside) {
      this.inside = inside;
    }

    private void readObject(ObjectInputStream in) throws Exception {
      in.defaultReadObject();
      read = inside != null;
    }
  }
}
