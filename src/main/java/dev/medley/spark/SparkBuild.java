package dev.medley.spark;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.package$;
import scala.util.Properties;

/**
 * The Spark that this build of Medley is for. Another one has other methods, and would fail in the
 * middle of a job.
 */
public final class SparkBuild {
  private static final Pattern VERSION = Pattern.compile("(\\d+)\\.(\\d+).*");

  private SparkBuild() {}

  /**
   * @throws IllegalStateException if the Spark that is there is not the one that this build is for
   */
  public static void check() {
    String problem = problem(package$.MODULE$.SPARK_VERSION(), Properties.versionNumberString());
    if (problem != null) {
      throw new IllegalStateException(problem);
    }
  }

  /** What is wrong with these versions; null for nothing. */
  static String problem(String spark, String scala) {
    return scala.startsWith(SparkVersion.SCALA + ".") && isLaterMinor(spark)
        ? null
        : "Spark: expected "
            + SparkVersion.SPARK
            + ", or a later one of that major version, with Scala "
            + SparkVersion.SCALA
            + ", which this build of Medley is for, found "
            + spark
            + " with Scala "
            + scala
            + "; ./mvnw package builds for Spark 3.5, ./mvnw -Pspark-4.1 package for 4.1";
  }

  private static boolean isLaterMinor(String spark) {
    Matcher here = VERSION.matcher(spark);
    Matcher built = VERSION.matcher(SparkVersion.SPARK);
    return here.matches()
        && built.matches()
        && here.group(1).equals(built.group(1))
        && Integer.parseInt(here.group(2)) >= Integer.parseInt(built.group(2));
  }
}
