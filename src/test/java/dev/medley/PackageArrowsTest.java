package dev.medley;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** job → spark → engine → model → adapter → tensor → io: each imports only those to its right. */
@AnalyzeClasses(packages = "dev.medley", importOptions = PackageArrowsTest.Main.class)
class PackageArrowsTest {
  /** ArchUnit's own looks for tests in target/test-classes alone. */
  static final class Main implements ImportOption {
    @Override
    public boolean includes(Location location) {
      return !location.contains("/test-classes/");
    }
  }

  @ArchTest
  static final ArchRule ARROWS =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("job")
          .definedBy("dev.medley.job..")
          .layer("spark")
          .definedBy("dev.medley.spark..")
          .layer("engine")
          .definedBy("dev.medley.engine..")
          .layer("model")
          .definedBy("dev.medley.model..")
          .layer("adapter")
          .definedBy("dev.medley.adapter..")
          .layer("tensor")
          .definedBy("dev.medley.tensor..")
          .layer("io")
          .definedBy("dev.medley.io..")
          .whereLayer("job")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("spark")
          .mayOnlyBeAccessedByLayers("job")
          .whereLayer("engine")
          .mayOnlyBeAccessedByLayers("job", "spark")
          .whereLayer("model")
          .mayOnlyBeAccessedByLayers("job", "spark", "engine")
          .whereLayer("adapter")
          .mayOnlyBeAccessedByLayers("job", "spark", "engine", "model")
          .whereLayer("tensor")
          .mayOnlyBeAccessedByLayers("job", "spark", "engine", "model", "adapter");

  @ArchTest
  static final ArchRule SPARK_IS_SEEN_BY_SPARK_AND_JOB_ONLY =
      noClasses()
          .that()
          .resideOutsideOfPackages("dev.medley.spark..", "dev.medley.job..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("org.apache.spark..", "scala..");

  @ArchTest
  static final ArchRule IO_KNOWS_THE_JDK_JACKSON_HADOOP_AND_ARCHIVES =
      classes()
          .that()
          .resideInAPackage("dev.medley.io..")
          .should()
          .onlyDependOnClassesThat()
          .resideInAnyPackage(
              "dev.medley.io..",
              "java..",
              "com.fasterxml.jackson..",
              "javax.security.sasl..",
              "org.apache.hadoop..",
              "org.apache.commons.compress..",
              "org.slf4j..");

  @ArchTest
  static final ArchRule MODEL_NAMES_NO_ADAPTER_TYPE =
      noClasses()
          .that()
          .resideInAPackage("dev.medley.model..")
          .should()
          .dependOnClassesThat()
          .haveSimpleName("AdapterType");
}
