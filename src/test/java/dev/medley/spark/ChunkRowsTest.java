package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which errors a resumed run looks at again. */
class ChunkRowsTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          ADAPTER_UNFIT        | s3a://b/a: could not be read: java.io.IOException: reset         | true
          ADAPTER_UNFIT        | s3a://b/a: could not be kept in the cache folder /c, where it    | true
          ADAPTER_UNFIT        | hf://o/a: could not be put into the cache folder /c              | true
          ADAPTER_UNFIT        | hf://o/a: could not be reached: timed out                        | true
          ADAPTER_UNFIT        | hf://o/a: expected a file, found none; HF_HUB_OFFLINE forbids to ask the Hub | true
          ADAPTER_UNFIT        | /a: expected a file, found none                                  | true
          ADAPTER_UNFIT        | /a: has changed since; start the job again                       | true
          DEVICE_OUT_OF_MEMORY | one row needs more than cuda:0 has                               | true
          ADAPTER_UNFIT        | /a/adapter_config.json: r: expected a positive integer, found 0  | false
          ADAPTER_UNKNOWN      | no adapter is named could not be read                            | false
          TEXT_NULL            | text: expected a string, found null                              | false
          """)
  void errorsOfStorageAndDevicesMayPass(String code, String message, boolean mayPass) {
    assertThat(ChunkRows.mayPass(code, message)).isEqualTo(mayPass);
  }
}
