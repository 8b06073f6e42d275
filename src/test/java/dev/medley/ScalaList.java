package dev.medley;

import scala.collection.immutable.$colon$colon;
import scala.collection.immutable.List;
import scala.collection.immutable.Nil$;

/** A list as Scala's, which is a Seq in Scala 2.12 as in 2.13. */
public final class ScalaList {
  private ScalaList() {}

  @SuppressWarnings("unchecked") // an empty list is one of anything
  public static <T> List<T> of(java.util.List<T> elements) {
    List<T> list = (List<T>) (Object) Nil$.MODULE$;
    for (int i = elements.size() - 1; i >= 0; i--) {
      list = new $colon$colon<>(elements.get(i), list);
    }
    return list;
  }
}
