// Compiles SPIR-V compute shaders with Mesa's RADV and prints, for each, the statistics of its compiler
// and the assembly. RADV_FORCE_FAMILY names the GPU, which need not be present. No shader runs.
//
//	radv UNIFORM_BINDING SHADER.spv...
//
// The binding named is a uniform block, all others are storage buffers. Text on standard output:
//
//	device NAME
//	shader PATH
//	stat NAME=VALUE     (lines)
//	assembly            (lines, up to a line "end")
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

enum { BINDINGS = 16, MOST = 64 };

static PFN_vkGetPipelineExecutableStatisticsKHR get_statistics;
static PFN_vkGetPipelineExecutableInternalRepresentationsKHR get_representations;

static void check(VkResult result, const char *what) {
	if (result >= 0) return;
	fprintf(stderr, "radv: %s: error %d\n", what, result);
	exit(1);
}

static VkPhysicalDevice find_gpu(void) {
	VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_2};
	VkInstanceCreateInfo create = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app};
	VkInstance instance;
	check(vkCreateInstance(&create, NULL, &instance), "instance");
	VkPhysicalDevice gpu = VK_NULL_HANDLE;
	uint32_t count = 1;
	check(vkEnumeratePhysicalDevices(instance, &count, &gpu), "devices");
	if (count == 0) {
		fprintf(stderr, "radv: no device; does this Mesa know the family of RADV_FORCE_FAMILY?\n");
		exit(1);
	}
	VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
	VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &driver};
	vkGetPhysicalDeviceProperties2(gpu, &properties);
	printf("device %s\ndriver %s %s\n", properties.properties.deviceName, driver.driverName, driver.driverInfo);
	return gpu;
}

static VkDevice open_device(VkPhysicalDevice gpu) {
	float priority = 1;
	VkDeviceQueueCreateInfo queue = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1, .pQueuePriorities = &priority};
	VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR features = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
		.pipelineExecutableInfo = VK_TRUE};
	const char *extensions[] = {VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME};
	VkDeviceCreateInfo create = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &features,
		.queueCreateInfoCount = 1, .pQueueCreateInfos = &queue,
		.enabledExtensionCount = 1, .ppEnabledExtensionNames = extensions};
	VkDevice device;
	check(vkCreateDevice(gpu, &create, NULL, &device), "device");
	get_statistics = (PFN_vkGetPipelineExecutableStatisticsKHR)
		vkGetDeviceProcAddr(device, "vkGetPipelineExecutableStatisticsKHR");
	get_representations = (PFN_vkGetPipelineExecutableInternalRepresentationsKHR)
		vkGetDeviceProcAddr(device, "vkGetPipelineExecutableInternalRepresentationsKHR");
	return device;
}

// make_layout describes one set of BINDINGS buffers, of which one is a uniform block.
static VkPipelineLayout make_layout(VkDevice device, uint32_t uniform) {
	VkDescriptorSetLayoutBinding bindings[BINDINGS];
	for (uint32_t n = 0; n < BINDINGS; n++) {
		bindings[n] = (VkDescriptorSetLayoutBinding){.binding = n, .descriptorCount = 1,
			.descriptorType = n == uniform ? VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
			.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
	}
	VkDescriptorSetLayoutCreateInfo set_create = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
		.bindingCount = BINDINGS, .pBindings = bindings};
	VkDescriptorSetLayout set;
	check(vkCreateDescriptorSetLayout(device, &set_create, NULL, &set), "descriptor set layout");
	VkPipelineLayoutCreateInfo create = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, .setLayoutCount = 1, .pSetLayouts = &set};
	VkPipelineLayout layout;
	check(vkCreatePipelineLayout(device, &create, NULL, &layout), "pipeline layout");
	return layout;
}

static VkShaderModule load_shader(VkDevice device, const char *path) {
	static uint32_t code[1 << 20];
	FILE *file = fopen(path, "rb");
	if (!file) {
		perror(path);
		exit(1);
	}
	size_t size = fread(code, 1, sizeof code, file);
	fclose(file);
	VkShaderModuleCreateInfo create = {
		.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = size, .pCode = code};
	VkShaderModule module;
	check(vkCreateShaderModule(device, &create, NULL, &module), path);
	return module;
}

static void print_statistics(VkDevice device, const VkPipelineExecutableInfoKHR *executable) {
	VkPipelineExecutableStatisticKHR list[MOST];
	for (int n = 0; n < MOST; n++)
		list[n] = (VkPipelineExecutableStatisticKHR){.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR};
	uint32_t count = MOST;
	check(get_statistics(device, executable, &count, list), "statistics");
	for (uint32_t n = 0; n < count; n++) {
		if (list[n].format == VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR)
			printf("stat %s=%g\n", list[n].name, list[n].value.f64);
		else
			printf("stat %s=%llu\n", list[n].name, (unsigned long long)list[n].value.u64);
	}
}

static void print_assembly(VkDevice device, const VkPipelineExecutableInfoKHR *executable) {
	VkPipelineExecutableInternalRepresentationKHR list[MOST];
	for (int n = 0; n < MOST; n++)
		list[n] = (VkPipelineExecutableInternalRepresentationKHR){
			.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR};
	uint32_t count = MOST;
	check(get_representations(device, executable, &count, list), "representations"); // the sizes
	for (uint32_t n = 0; n < count; n++) list[n].pData = calloc(list[n].dataSize + 1, 1);
	check(get_representations(device, executable, &count, list), "representations");
	for (uint32_t n = 0; n < count; n++) {
		if (strcmp(list[n].name, "Assembly") == 0) printf("assembly\n%s\nend\n", (char *)list[n].pData);
		free(list[n].pData);
	}
}

int main(int argc, char **argv) {
	if (argc < 3) {
		fprintf(stderr, "usage: radv UNIFORM_BINDING SHADER.spv...\n");
		return 2;
	}
	VkDevice device = open_device(find_gpu());
	VkPipelineLayout layout = make_layout(device, (uint32_t)atoi(argv[1]));
	for (int n = 2; n < argc; n++) {
		VkShaderModule module = load_shader(device, argv[n]);
		VkComputePipelineCreateInfo create = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
			.flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR |
				VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR,
			.stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
				.stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module, .pName = "main"},
			.layout = layout};
		VkPipeline pipeline;
		check(vkCreateComputePipelines(device, VK_NULL_HANDLE, 1, &create, NULL, &pipeline), argv[n]);
		VkPipelineExecutableInfoKHR executable = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline};
		printf("shader %s\n", argv[n]);
		print_statistics(device, &executable);
		print_assembly(device, &executable);
		vkDestroyPipeline(device, pipeline, NULL);
		vkDestroyShaderModule(device, module, NULL);
		fflush(stdout);
	}
	return 0;
}
