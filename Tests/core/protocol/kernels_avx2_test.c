#define CHECKED_SET "avx2"
#include "kernel_checks.h"
