dnl SPDX-License-Identifier: Apache-2.0
dnl PUSHD_WARNINGS: collects the warning flags that this compiler knows into WARN_CFLAGS.
AC_DEFUN([PUSHD_WARNINGS],[
WARN_CFLAGS=
pushd_save_CFLAGS=$CFLAGS
for pushd_flag in -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wmissing-declarations \
    -Wold-style-definition -Wpointer-arith -Wcast-align -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla \
    -Wduplicated-cond -Wimplicit-fallthrough -Wconversion -Wno-sign-conversion -fno-common; do
  CFLAGS="$pushd_save_CFLAGS -Werror $pushd_flag"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([],[])],[WARN_CFLAGS="$WARN_CFLAGS $pushd_flag"])
done
CFLAGS=$pushd_save_CFLAGS
AC_SUBST([WARN_CFLAGS])
])
