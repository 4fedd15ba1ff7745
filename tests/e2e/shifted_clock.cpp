// Loaded before a program (LD_PRELOAD), this makes the time of day jump while it runs: by as many
// seconds as the file HOLDFAST_TEST_CLOCK names says, whenever it is asked. The monotonic clock
// goes on. This changes the machine's clock for that one program alone.
#include <dlfcn.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>

extern "C" __attribute__((visibility("default"))) int clock_gettime(clockid_t clock,
                                                                    timespec* time) {
  using Real = int (*)(clockid_t, timespec*);
  static const Real real = reinterpret_cast<Real>(::dlsym(RTLD_NEXT, "clock_gettime"));
  const int result = real(clock, time);
  if (result != 0 || clock != CLOCK_REALTIME) return result;
  const char* const path = std::getenv("HOLDFAST_TEST_CLOCK");
  std::FILE* const file = path != nullptr ? std::fopen(path, "re") : nullptr;
  if (file == nullptr) return result;
  long shift = 0;
  if (std::fscanf(file, "%ld", &shift) == 1) time->tv_sec += shift;
  std::fclose(file);
  return result;
}
