dnl SPDX-License-Identifier: Apache-2.0
dnl PUSHD_SANITIZERS: SAN_CFLAGS and FUZZ_CFLAGS for --enable-sanitizers and --enable-fuzz, proven by a link test.
AC_DEFUN([PUSHD_SANITIZERS],[
SAN_CFLAGS=
FUZZ_CFLAGS=
FUZZ_LDFLAGS=
AS_IF([test "x$enable_sanitizers" != xno],[
  AS_IF([test "x$enable_sanitizers" = xyes],[enable_sanitizers=address,undefined])
  SAN_CFLAGS="-fsanitize=$enable_sanitizers -fno-sanitize-recover=all -fno-omit-frame-pointer"
  pushd_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS $SAN_CFLAGS"
  AC_MSG_CHECKING([whether $CC links with -fsanitize=$enable_sanitizers])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([],[])],[AC_MSG_RESULT([yes])],
    [AC_MSG_ERROR([$CC cannot link with -fsanitize=$enable_sanitizers])])
  CFLAGS=$pushd_save_CFLAGS
])
AS_IF([test "x$enable_fuzz" = xyes],[
  FUZZ_CFLAGS="-fsanitize=fuzzer-no-link"
  FUZZ_LDFLAGS="-fsanitize=fuzzer"
  pushd_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS $FUZZ_CFLAGS"
  AC_MSG_CHECKING([whether $CC has libFuzzer])
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([],[])],[AC_MSG_RESULT([yes])],
    [AC_MSG_ERROR([--enable-fuzz needs clang: ./configure CC=clang --enable-fuzz. Debian: apt-get install clang])])
  CFLAGS=$pushd_save_CFLAGS
])
AC_SUBST([SAN_CFLAGS])
AC_SUBST([FUZZ_CFLAGS])
AC_SUBST([FUZZ_LDFLAGS])
])
