#define CHECKED_SET "ssse3"
#include "kernel_checks.h"
