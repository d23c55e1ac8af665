package gl

// The enumerants in use, from the OpenGL 4.3 core registry and the named
// extensions. They are repeated here, because go-gl's need cgo.
const (
	glTrue = 1

	// Errors.
	noError                     = 0
	invalidEnum                 = 0x0500
	invalidValue                = 0x0501
	invalidOperation            = 0x0502
	stackOverflow               = 0x0503
	stackUnderflow              = 0x0504
	outOfMemory                 = 0x0505
	invalidFramebufferOperation = 0x0506
	contextLost                 = 0x0507 // KHR_robustness
	guiltyContextReset          = 0x8253
	innocentContextReset        = 0x8254
	unknownContextReset         = 0x8255
	resetNotificationStrategy   = 0x8256
	loseContextOnReset          = 0x8252

	// Strings and limits.
	vendor                         = 0x1F00
	renderer                       = 0x1F01
	version                        = 0x1F02
	extensions                     = 0x1F03
	shadingLanguageVersion         = 0x8B8C
	majorVersion                   = 0x821B
	minorVersion                   = 0x821C
	numExtensions                  = 0x821D
	numProgramBinaryFormats        = 0x87FE
	maxComputeSharedMemorySize     = 0x8262
	maxComputeWorkGroupInvocations = 0x90EB
	maxComputeWorkGroupCount       = 0x91BE
	maxComputeWorkGroupSize        = 0x91BF
	maxComputeUniformBlocks        = 0x91BB
	maxComputeShaderStorageBlocks  = 0x90DB
	maxShaderStorageBlockSize      = 0x90DE
	maxShaderStorageBufferBindings = 0x90DD
	shaderStorageBufferOffsetAlign = 0x90DF
	maxUniformBlockSize            = 0x8A30
	maxUniformBufferBindings       = 0x8A2F
	uniformBufferOffsetAlign       = 0x8A34
	queryCounterBits               = 0x8864
	queryResult                    = 0x8866
	queryResultAvailable           = 0x8867
	timeElapsed                    = 0x88BF
	syncGPUCommandsComplete        = 0x9117
	syncFlushCommandsBit           = 0x0001
	alreadySignaled                = 0x911A
	timeoutExpired                 = 0x911B
	conditionSatisfied             = 0x911C
	shaderStorageBarrierBit        = 0x2000
	uniformBarrierBit              = 0x0004
	bufferUpdateBarrierBit         = 0x0200
	clientMappedBufferBarrierBit   = 0x4000 // ARB_buffer_storage
	debugOutput                    = 0x92E0
	debugOutputSynchronous         = 0x8242
	dontCare                       = 0x1100
	debugSourceAPI                 = 0x8246
	debugTypeError                 = 0x824C
	debugSeverityHigh              = 0x9146
	debugSeverityNotification      = 0x826B
	maxLabelLength                 = 0x82E8
	labelBuffer                    = 0x82E0
	labelProgram                   = 0x82E2
	shaderStorageBuffer            = 0x90D2
	uniformBuffer                  = 0x8A11
	copyReadBuffer                 = 0x8F36
	copyWriteBuffer                = 0x8F37
	usageStreamDraw                = 0x88E0
	usageStreamRead                = 0x88E1
	usageDynamicCopy               = 0x88EA
	mapReadBit                     = 0x0001
	mapWriteBit                    = 0x0002
	mapInvalidateRangeBit          = 0x0004
	mapPersistentBit               = 0x0040 // ARB_buffer_storage
	mapCoherentBit                 = 0x0080 // ARB_buffer_storage
	dynamicStorageBit              = 0x0100 // ARB_buffer_storage
	formatR32UI                    = 0x8236
	formatRedInteger               = 0x8D94
	typeUnsignedInt                = 0x1405
	textureBuffer                  = 0x8C2A
	texture0                       = 0x84C0
	maxTextureBufferSize           = 0x8C2B
	formatRGBA32F                  = 0x8814
	formatRG32UI                   = 0x823C
	computeShader                  = 0x91B9
	compileStatus                  = 0x8B81
	linkStatus                     = 0x8B82
	infoLogLength                  = 0x8B84
	programBinaryRetrievableHint   = 0x8257
	programBinaryLength            = 0x8741
	interfaceUniform               = 0x92E1
	interfaceUniformBlock          = 0x92E2
	interfaceShaderStorageBlock    = 0x92E6
	invalidIndex                   = 0xFFFFFFFF
	propActiveResources            = 0x92F5
	propNameLength                 = 0x92F9
	propOffset                     = 0x92FC
	propBufferBinding              = 0x9302
	propBufferDataSize             = 0x9303
	propNumActiveVariables         = 0x9304
	propActiveVariables            = 0x9305
)
