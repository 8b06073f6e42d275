package dev.medley.job.bench;

import java.nio.file.Path;

/**
 * How the benchmark runs.
 *
 * @param model HF folder of a BERT
 * @param work where adapters are written, deleted at the end
 * @param python with torch, transformers and peft; null for none
 * @param chunkRows rows of a chunk, about
 * @param chunks of each scenario
 * @param quick whether the parts that take long are made small
 */
record Settings(Path model, Path work, String python, int chunkRows, int chunks, boolean quick) {}
