// The main of every test executable. RapidCheck takes its seed from the environment variable
// RC_PARAMS, which is read when the first property runs; so the process's one seed is put there
// before any test, and said on stderr: stdout belongs to the listing that CTest reads.
#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/testing/seed.h"

namespace holdfast::testing {
namespace {

class SeedIsPrinted : public ::testing::Environment {
 public:
  void SetUp() override {
    std::fprintf(stderr, "HOLDFAST_SEED=%llu\n", static_cast<unsigned long long>(seed()));
  }
};

void seed_rapidcheck() {
  const char* given = std::getenv("RC_PARAMS");
  std::string parameters = given == nullptr ? "" : given;
  // A seed or a counterexample given by hand comes first.
  if (parameters.find("seed=") != std::string::npos) return;
  if (parameters.find("reproduce=") != std::string::npos) return;
  parameters += " seed=" + std::to_string(seed());
  setenv("RC_PARAMS", parameters.c_str(), 1);
}

}  // namespace

}  // namespace holdfast::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  holdfast::testing::seed_rapidcheck();
  ::testing::AddGlobalTestEnvironment(new holdfast::testing::SeedIsPrinted);
  return RUN_ALL_TESTS();
}
