package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import org.apache.spark.package$;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import scala.util.Properties;

class SparkBuildTest {
  /** The profile's Spark, its Scala and the sources beside it belong together. */
  @Test
  void testsRunOnTheSparkThatTheBuildIsFor() {
    assertThat(package$.MODULE$.SPARK_VERSION()).startsWith(SparkVersion.SPARK + ".");
    assertThat(Properties.versionNumberString()).startsWith(SparkVersion.SCALA + ".");
    assertThatCode(SparkBuild::check).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource({
    "3.5.0, 2.12.18, 3.5",
    "3.5.1-amzn-0, 2.12.18, 3.5",
    "3.6.0, 2.12.20, 3.5",
    "3.4.4, 2.12.18, none",
    "3.5.7, 2.13.8, none",
    "4.1.0, 2.13.17, 4.1",
    "4.10.0, 2.13.17, 4.1",
    "4.0.1, 2.13.16, none",
    "5.1.0, 2.13.17, none",
    "dev, 2.13.17, none",
  })
  void buildIsForItsOwnMajorVersionAndScala(String spark, String scala, String build) {
    String problem = SparkBuild.problem(spark, scala);
    if (build.equals(SparkVersion.SPARK)) {
      assertThat(problem).isNull();
    } else {
      assertThat(problem)
          .isEqualTo(
              "Spark: expected "
                  + SparkVersion.SPARK
                  + ", or a later one of that major version, with Scala "
                  + SparkVersion.SCALA
                  + ", which this build of Medley is for, found "
                  + spark
                  + " with Scala "
                  + scala
                  + "; ./mvnw package builds for Spark 3.5, ./mvnw -Pspark-4.1 package for 4.1");
    }
  }
}
