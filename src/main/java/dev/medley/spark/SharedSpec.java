package dev.medley.spark;

import dev.medley.engine.EngineSpec;
import java.io.Serializable;
import java.util.List;
import org.apache.spark.util.SerializableConfiguration;

/**
 * What every executor needs of the driver: the spec, and how to reach the files it names. The
 * configuration may hold credentials and is never printed.
 */
record SharedSpec(EngineSpec spec, List<String> baseVersions, SerializableConfiguration hadoop)
    implements Serializable {

  byte[] toBytes() {
    return JavaBytes.write(this);
  }

  static SharedSpec of(byte[] bytes) {
    return JavaBytes.read(bytes, SharedSpec.class);
  }

  @Override
  public String toString() {
    return "SharedSpec of " + spec.task().pipeline();
  }
}
