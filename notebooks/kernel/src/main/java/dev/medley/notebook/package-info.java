/**
 * Java cells in Jupyter: the kernel, what cells may call to show something, and pictures.
 *
 * <p>{@link dev.medley.notebook.Show}, its values and the charts are for cells; the rest is the
 * kernel's own.
 */
package dev.medley.notebook;
