package dev.medley.job;

import dev.medley.io.Storage;
import dev.medley.spark.SparkBuild;
import dev.medley.spark.TaskDevices;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.apache.spark.sql.SparkSession;

/**
 * The Spark session of a job: the one that is there, else one made of what spark-submit and {@code
 * -Dspark.…} say. Stops what it made.
 */
final class Session implements AutoCloseable {
  private final SparkSession spark;
  private final boolean mine;

  private Session(SparkSession spark, boolean mine) {
    this.spark = spark;
    this.mine = mine;
  }

  /**
   * Runs on all cores of this machine where nobody names a master.
   *
   * @throws IllegalStateException on a Spark that this build is not for
   */
  static Session open(String name) {
    SparkBuild.check();
    if (SparkSession.getDefaultSession().isDefined()) {
      return new Session(SparkSession.getDefaultSession().get(), false);
    }
    SparkConf conf = new SparkConf();
    conf.setIfMissing("spark.master", "local[*]");
    if (conf.get("spark.app.name", Medley.class.getName()).equals(Medley.class.getName())) {
      conf.setAppName(name); // spark-submit names a job by its main class
    }
    TaskDevices.check(conf); // before a first task waits
    return new Session(SparkSession.builder().config(conf).getOrCreate(), true);
  }

  /**
   * Files as Spark would reach them: with every {@code spark.hadoop.…} setting, session or none.
   */
  static Storage storage() {
    return Storage.standard(hadoop());
  }

  /** Hadoop's settings with every {@code spark.hadoop.…} one, session or none. */
  static Configuration hadoop() {
    return SparkHadoopUtil.get().newConfiguration(new SparkConf());
  }

  SparkSession spark() {
    return spark;
  }

  @Override
  public void close() {
    if (mine) {
      spark.stop();
    }
  }
}
