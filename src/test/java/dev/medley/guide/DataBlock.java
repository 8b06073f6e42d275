package dev.medley.guide;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.StringReader;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.spark.SparkConf;
import org.apache.spark.internal.config.ConfigEntry;
import org.apache.spark.internal.config.ConfigReader;
import org.apache.spark.sql.SparkSession;

/** What a Spark session takes: statements of SQL, and settings. */
final class DataBlock {
  private static final String MODEL = "spark.medley.model.";

  private DataBlock() {}

  /** Runs each statement; tables are made in a database that goes again. */
  static void checkSql(Block block, Example example) {
    SparkSession spark = new ExampleData(example).forSql().spark();
    spark.sql("create database guide location '" + example.path("guide.db") + "'");
    try {
      spark.sql("use guide");
      for (String statement : example.local(block.text()).split(";\\s*")) {
        spark.sql(statement).collectAsList();
      }
    } catch (Exception e) { // Spark's are checked ones that it does not declare
      throw new AssertionError(block.where() + ": " + e.getMessage(), e);
    } finally {
      spark.sql("use default");
      spark.sql("drop database guide cascade");
    }
  }

  /** Spark has every setting and can read its value; of Medley's models a row is scored. */
  static void checkConf(Block block, Example example) throws Exception {
    Class.forName("org.apache.spark.internal.config.package$");
    Class.forName("org.apache.spark.sql.internal.SQLConf$");
    Properties read = new Properties();
    read.load(new StringReader(example.local(block.text())));
    Map<String, String> settings = new TreeMap<>();
    read.stringPropertyNames().forEach(key -> settings.put(key, read.getProperty(key).strip()));
    settings.forEach((key, value) -> checkSetting(block, key, settings));
    settings.keySet().removeIf(key -> !key.startsWith(MODEL));
    if (!settings.isEmpty()) {
      score(block, settings, new ExampleData(example));
    }
  }

  private static void checkSetting(Block block, String key, Map<String, String> settings) {
    if (key.startsWith(MODEL) || key.matches("spark\\.executorEnv\\.[A-Z_]+")) {
      return;
    }
    ConfigEntry<?> entry = (ConfigEntry<?>) ConfigEntry.findEntry(key);
    assertThat(entry).as(block.where() + ": " + key).isNotNull();
    entry.readFrom(new ConfigReader(settings));
  }

  private static void score(Block block, Map<String, String> settings, ExampleData data) {
    SparkConf application = data.spark().sparkContext().conf();
    settings.forEach(application::set);
    try {
      String name = settings.keySet().iterator().next().substring(MODEL.length()).split("\\.")[0];
      String call = "medley_classify('" + name + "', 'a lazy dog', null)";
      assertThat(data.spark().sql("select " + call + ".label").first().isNullAt(0)).isFalse();
    } catch (Exception e) { // as above
      throw new AssertionError(block.where() + ": " + e.getMessage(), e);
    } finally {
      settings.keySet().forEach(application::remove);
    }
  }
}
